"""Picks traces to look at: some that show the trouble, some that show how it should be."""

from collections.abc import Iterable

from rootcause.detect.symptom import Symptom
from rootcause.explain.finding import ANY_SOURCE, Culprit
from rootcause.explain.waited import is_of
from rootcause.load.looked import Sample
from rootcause.load.spans import Kind, Span
from rootcause.load.window import Called, Served, Window, calls

MOST = 3


def exemplars(observed: Window, culprit: Culprit, *, by_errors: bool, bad: Iterable[str] = ()) -> tuple[str, ...]:
    """Failing or slowest traces through the culprit, in the time in question; those known to be `bad` come first."""
    links = [row for row in observed.called if _goes_over(row, culprit.link)]
    served = [row for row in observed.served if _serves(row, culprit)]
    rows: list[Served | Called] = [
        *sorted(links, key=_mean_ms, reverse=True),
        *sorted(served, key=_mean_ms, reverse=True),
    ]
    return _first((*bad, *(row.error_trace if by_errors else row.slow_trace for row in rows)))


def counter_exemplars(
    baseline: Window, observed: Window, culprit: Culprit, symptom: Symptom, sample: Sample
) -> tuple[str, ...]:
    """The most usual trace through the culprit in normal time, where whole traces are at hand, then traces through
    healthy siblings at the same time, then others of normal time."""
    siblings = [row for row in observed.served if row.service == culprit.service and not _serves(row, culprit)]
    normal = [row for row in baseline.served if row.service == culprit.service]
    others = (row.slow_trace for row in (*siblings, *normal) if row.slow_trace != row.error_trace)
    return _first((_usual(sample.before, culprit.service, symptom), *others))


def _usual(spans: Iterable[Span], service: str, symptom: Symptom) -> str:
    """Of the traces that reach the service, where nothing fails, the one whose request with the symptom takes as long
    as half of them."""
    through, failing, times = set(), set(), []
    for span in spans:
        if span.service == service:
            through.add(span.trace)
        if span.failed:
            failing.add(span.trace)
        if span.service == symptom.service and span.kind is Kind.SERVER and is_of(span, symptom.route):
            times.append((span.duration_ns, span.trace))
    usual = sorted(one for one in times if one[1] in through - failing)
    return usual[len(usual) // 2][1] if usual else ""


def _serves(row: Served, culprit: Culprit) -> bool:
    wanted = (culprit.service, culprit.version or row.version, culprit.instance or row.instance)
    return (row.service, row.version, row.instance) == wanted


def _goes_over(row: Called, link: str) -> bool:
    return link in (f"{row.source} -> {row.destination}", f"{ANY_SOURCE} -> {row.destination}")


def _mean_ms(row: Served | Called) -> float:
    return sum(bucket.total_ms for bucket in row.buckets) / max(1, calls(row.buckets))


def _first(traces: Iterable[str]) -> tuple[str, ...]:
    return tuple(list(dict.fromkeys(trace for trace in traces if trace))[:MOST])
