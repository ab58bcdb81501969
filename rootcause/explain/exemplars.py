"""Picks traces to look at: some that show the trouble, some that show how it should be."""

from collections.abc import Iterable

from rootcause.explain.finding import ANY_SOURCE, Culprit
from rootcause.load.window import Called, Served, Window, calls

MOST = 3


def exemplars(observed: Window, culprit: Culprit, *, by_errors: bool) -> tuple[str, ...]:
    """Failing or slowest traces through the culprit, in the time in question."""
    links = [row for row in observed.called if _goes_over(row, culprit.link)]
    served = [row for row in observed.served if _serves(row, culprit)]
    rows: list[Served | Called] = [
        *sorted(links, key=_mean_ms, reverse=True),
        *sorted(served, key=_mean_ms, reverse=True),
    ]
    return _first(row.error_trace if by_errors else row.slow_trace for row in rows)


def counter_exemplars(baseline: Window, observed: Window, culprit: Culprit) -> tuple[str, ...]:
    """Traces through healthy siblings at the same time, then through the culprit in normal time."""
    siblings = [row for row in observed.served if row.service == culprit.service and not _serves(row, culprit)]
    normal = [row for row in baseline.served if row.service == culprit.service]
    return _first(row.slow_trace for row in (*siblings, *normal) if row.slow_trace != row.error_trace)


def _serves(row: Served, culprit: Culprit) -> bool:
    wanted = (culprit.service, culprit.version or row.version, culprit.instance or row.instance)
    return (row.service, row.version, row.instance) == wanted


def _goes_over(row: Called, link: str) -> bool:
    return link in (f"{row.source} -> {row.destination}", f"{ANY_SOURCE} -> {row.destination}")


def _mean_ms(row: Served | Called) -> float:
    return sum(bucket.total_ms for bucket in row.buckets) / max(1, calls(row.buckets))


def _first(traces: Iterable[str]) -> tuple[str, ...]:
    return tuple(list(dict.fromkeys(trace for trace in traces if trace))[:MOST])
