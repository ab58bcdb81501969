"""Failures of what nobody called in normal time: it cannot have become worse, so they are of whoever began to call it.

In: both windows. Out: by caller, how many of its requests fail by its calling something new.
"""

from collections import Counter, defaultdict

from rootcause.attribute.counts import requests_by_service
from rootcause.attribute.own_errors import ErrorShift, compare
from rootcause.load.window import Traffic, Window, errors, once, own_errors


def newcomer_error_shifts(baseline: Window, observed: Window) -> dict[str, ErrorShift]:
    """By caller, where chance is tested against the requests it had in normal time."""
    newcomers = _used(observed.traffic) - _used(baseline.traffic)
    if not newcomers:
        return {}
    failed = _failed_calls(observed, newcomers)
    before, now = requests_by_service(baseline.traffic), requests_by_service(observed.traffic)
    shifts = {
        caller: compare(min(many, now[caller]), now[caller], 0, before[caller]) for caller, many in failed.items()
    }
    return {caller: shift for caller, shift in shifts.items() if shift is not None}


def _failed_calls(observed: Window, newcomers: frozenset[str]) -> Counter[str]:
    """By caller, as it saw them; where it does not say, the newcomer's failures in equal parts."""
    failed: Counter[str] = Counter()
    callers: dict[str, set[str]] = defaultdict(set)
    for row in observed.called:
        if row.destination in newcomers and row.source:
            callers[row.destination].add(row.source)
            failed[row.source] += errors(row.buckets) if row.by_source else 0
    for newcomer in observed.served:
        silent = [caller for caller in callers[newcomer.service] if not failed[caller]]
        for caller in silent:
            failed[caller] += own_errors(newcomer.buckets) // len(silent)
    return failed


@once
def _used(traffic: Traffic) -> frozenset[str]:
    served = {row.service for row in traffic.served if row.buckets}
    return frozenset(served | {row.destination for row in traffic.called if row.buckets})
