"""The statements of a finding, in the order in which a person asks: what is felt, what speaks against the culprit, who
waited for it, what would be without it. Each with the SQL that shows its figures.

In: the verdict, its windows, who asks the store. Out: evidence.
"""

from collections.abc import Sequence

from rootcause.detect.symptom import Symptom
from rootcause.explain import wording
from rootcause.explain.contribution import contribution
from rootcause.explain.counterfactual import without
from rootcause.explain.detail import Detail, in_common
from rootcause.explain.finding import Culprit, Evidence, OnPath
from rootcause.explain.headline import only_fewer, only_inside
from rootcause.explain.quantities import amount
from rootcause.explain.queries import Queries, step_sql
from rootcause.judge.diagnose import Verdict
from rootcause.judge.suspect import Suspect
from rootcause.load.window import Window


def statements(
    verdict: Verdict,
    symptom: Symptom,
    windows: tuple[Window, Window],
    queries: Queries,
    *,
    culprit: Culprit,
    detail: Detail,
    path: Sequence[OnPath],
) -> tuple[Evidence, ...]:
    """All that is to be said; `path` is the critical one of slow requests, none where it is not known."""
    return (
        *_against(verdict, symptom, queries),
        *in_common(culprit, detail),
        *_waited(path, symptom, queries),
        *_counterfactual(verdict, symptom, windows, queries),
    )


def _against(verdict: Verdict, symptom: Symptom, queries: Queries) -> tuple[Evidence, ...]:
    first = verdict.suspects[0]
    inside = symptom.signal == "saturation" or only_fewer(first) or only_inside(verdict)
    statements = [*([] if inside else [felt_by_users(symptom, queries)])]
    if first.strained is not None:
        full = Suspect(first.service, full=first.full, surge=first.surge)
        statements.append(
            Evidence(statement=f"{first.service}: {wording.against(full)}", sql=queries.usage(first.service))
        )
    if any(part is not None for part in (first.own_time, first.own_errors)):
        own = Suspect(first.service, error_part=first.error_part, own_time=first.own_time, own_errors=first.own_errors)
        sql = queries.service(first.service)
        statements.append(Evidence(statement=f"{first.service}: {wording.against(own)}", sql=sql))
    statements += [*_looped(first, queries), *_dropped(first, queries)]
    if first.steps is not None:
        step = Suspect(first.service, steps=first.steps)
        sql = step_sql(first.steps, queries)
        statements.append(Evidence(statement=f"{first.service}: {wording.against(step)}", sql=sql))
    if verdict.narrowed.siblings:
        names = verdict.narrowed
        statements.append(
            Evidence(
                statement=f"{names.version or names.instance} is affected, {names.siblings} beside it is not",
                sql=queries.service(first.service),
            )
        )
    statements += _at_place(verdict, queries)
    statements += [
        Evidence(statement=wording.link_against(link), sql=queries.link(link.source, link.destination))
        for link in first.links
    ]
    return tuple(statements)


def _dropped(first: Suspect, queries: Queries) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(statement=wording.dropped(drop), sql=queries.link(drop.source, drop.destination))
        for drop in first.drops
    )


def _looped(first: Suspect, queries: Queries) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(statement=f"{first.service} {wording.looped(loop)}", sql=queries.link(loop.source, loop.destination))
        for loop in first.loops
    )


def _at_place(verdict: Verdict, queries: Queries) -> tuple[Evidence, ...]:
    if verdict.place is None or len(verdict.together) < 2:
        return ()
    place = verdict.place
    return (Evidence(statement=wording.at_place(place), sql=queries.places(place.kind, place.services)),)


def _waited(path: Sequence[OnPath], symptom: Symptom, queries: Queries) -> tuple[Evidence, ...]:
    if not path:
        return ()
    statement = f"on the critical path of {symptom.service} {symptom.route}".rstrip()
    return (Evidence(statement=f"{statement}: {wording.waited(path)}", sql=queries.entries(symptom.service)),)


def _counterfactual(
    verdict: Verdict, symptom: Symptom, windows: tuple[Window, Window], queries: Queries
) -> tuple[Evidence, ...]:
    if only_inside(verdict):
        return ()
    share = contribution(verdict, symptom).share
    service = verdict.suspects[0].service
    who = f"what the link to {service} adds" if verdict.links else service
    place = verdict.place
    who = f"what {place.kind} {place.name} adds" if place is not None and len(verdict.together) > 1 else who
    told = without(who, symptom, share, *windows)
    return (Evidence(statement=told, sql=queries.entries(symptom.service)),) if told else ()


def felt_by_users(symptom: Symptom, queries: Queries) -> Evidence:
    """What an entry point shows, in normal time and now."""
    what = {"errors": "failed requests", "latency": "mean time"}.get(symptom.signal, "requests")
    where = f"{symptom.service} {symptom.route}".strip()
    return Evidence(
        statement=(
            f"{where}: {what} {amount(symptom.observed, symptom.unit)},"
            f" usually {amount(symptom.baseline, symptom.unit)}"
        ),
        sql=queries.entries(symptom.service),
    )
