"""Finds entry points that fail more requests than chance explains."""

from collections import defaultdict
from collections.abc import Mapping

from rootcause.attribute.own_errors import compare
from rootcause.detect.symptom import Symptom
from rootcause.load.window import Served, Traffic, Window, calls, errors, once

UNLIKELY = -12.0
"""Log of the probability of chance, about six in a million, above which nobody is woken."""
NOTICEABLE = 0.005
"""Added share of failed requests below which nobody is woken."""


def failing_entries(baseline: Window, observed: Window) -> list[Symptom]:
    """Failing entry points, the one that hits most requests first."""
    before, now = _counts(baseline.traffic), _counts(observed.traffic)
    total = max(1, observed.entry_calls)
    found = []
    for (service, route), (failed, of) in now.items():
        usual = before.get((service, route)) or _service(before, service)
        shift = compare(failed, of, *usual)
        if shift is None or shift.log_chance > UNLIKELY:
            continue
        if shift.observed_rate - shift.baseline_rate >= NOTICEABLE:
            rates = shift.baseline_rate, shift.observed_rate
            found.append(Symptom(service, route, "errors", *rates, shift.excess / total, -shift.log_chance))
    return sorted(found, key=lambda symptom: -symptom.severity)


@once
def _counts(traffic: Traffic) -> Mapping[tuple[str, str], tuple[int, int]]:
    rows: dict[tuple[str, str], list[Served]] = defaultdict(list)
    for row in traffic.served:
        if row.entry:
            rows[row.service, row.route].append(row)
    return {
        key: (sum(errors(row.buckets) for row in group), sum(calls(row.buckets) for row in group))
        for key, group in rows.items()
    }


def _service(counts: Mapping[tuple[str, str], tuple[int, int]], service: str) -> tuple[int, int]:
    """The service as a whole, for a route that normal time did not see."""
    parts = [value for key, value in counts.items() if key[0] == service]
    return sum(failed for failed, _ in parts), sum(of for _, of in parts)
