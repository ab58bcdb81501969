"""What single requests tell of an incident, and the SQL that shows it.

In: what the bad requests have in common, and which requests were looked at. Out: the culprit's part that it names, a
statement in plain words, SQL that runs as printed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from collector.store.quoting import literal
from rootcause.attribute.in_common import InCommon, Part
from rootcause.detect.onset import Began
from rootcause.explain import wording
from rootcause.explain.finding import Culprit, Evidence
from rootcause.explain.quantities import ms
from rootcause.load.asked import Asked
from rootcause.load.read_moments import TOOK_MS
from rootcause.load.traits import Of, Trait
from rootcause.load.window import Interval

_PARTS = {Of.NODE: "node", Of.ZONE: "zone", Of.CALLER: "caller"}


@dataclass(frozen=True, slots=True)
class Common:
    """What bad requests have in common, of those that were `asked` for, since the trouble began (`interval`)."""

    found: InCommon
    asked: Asked
    interval: Interval
    by_errors: bool


@dataclass(frozen=True, slots=True)
class Detail:
    """Either is None where single requests do not tell."""

    began: Began | None = None
    common: Common | None = None


UNKNOWN = Detail()


def narrowed_to(culprit: Culprit, detail: Detail) -> Culprit:
    """The culprit, and where or for whom it does wrong."""
    if detail.common is None or culprit.node or culprit.zone:
        return culprit
    trait = detail.common.found.trait
    part = _PARTS.get(trait.of)
    told = {part: trait.value} if part else {"attribute": f"{trait.key} = {trait.value}"}
    return culprit.model_copy(update=told)


def in_common(culprit: Culprit, detail: Detail) -> tuple[Evidence, ...]:
    """Those that share it, and all others at the same time."""
    common = detail.common
    if common is None:
        return ()
    found = common.found
    statement = (
        f"{wording.named(culprit)}: {_figures(found.having, common)};"
        f" for all others at the same time: {_figures(found.others, common)}"
    )
    return (Evidence(statement=statement, sql=_sql(common)),)


def _figures(part: Part, common: Common) -> str:
    if common.by_errors:
        return f"{part.bad} of {part.requests} requests fail"
    what = "between caller and callee" if common.asked.callers else "of its own time"
    return f"{ms(part.mean_ms)} {what} a request, {part.bad} of {part.requests} longer than nearly all usually take"


def _sql(common: Common) -> str:
    asked = replace(common.asked, interval=common.interval)
    trait = common.found.trait
    value, told = _value(trait, asked)
    return (
        f"SELECT {value} AS Value, count() AS Requests, countIf(StatusCode = 'Error') AS Failed,\n"
        f"  round(avg({TOOK_MS}), 2) AS MeanMs\n"
        f"FROM otel.otel_traces{told}\nWHERE {asked.condition}\n"
        "GROUP BY Value ORDER BY Requests DESC LIMIT 20"
    )


def _value(trait: Trait, asked: Asked) -> tuple[str, str]:
    """Where the value of each request stands, and the join that it takes."""
    if trait.of in (Of.NODE, Of.ZONE):
        return f"ResourceAttributes[{literal(trait.key)}]", ""
    attribute = f"SpanAttributes[{literal(trait.key)}]"
    if trait.of is Of.SERVED:
        which = f"ParentSpanId AS Parent, {attribute} AS Told"
        joined, services = "Trace = TraceId AND Parent = SpanId", asked.recorders
    elif trait.of is Of.ENTERED:
        which = f"argMin({attribute}, Timestamp) AS Told"
        joined, services = "Trace = TraceId", asked.entries
    else:
        return attribute, ""
    grouped = " GROUP BY Trace" if trait.of is Of.ENTERED else ""
    return "Told", (
        f"\nLEFT JOIN (SELECT TraceId AS Trace, {which} FROM otel.otel_traces\n"
        f"  WHERE {asked.condition_of(services)} AND {attribute} != ''{grouped}) AS told ON {joined}"
    )
