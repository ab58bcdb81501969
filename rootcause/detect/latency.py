"""Finds entry points that became slower: clearly (in deviations), noticeably (in parts of the normal time),
lastingly."""

from collections.abc import Mapping

from rootcause.attribute.own_time import normals, samples_by_route, whole
from rootcause.detect.baseline import Normal, Shift, shift_of
from rootcause.detect.symptom import Symptom
from rootcause.load.window import Traffic, Window, once

CLEAR = 5.0
"""Deviations from normal below which nobody is woken."""
NOTICEABLE = 0.25
"""Added time in parts of the normal time below which nobody is woken."""
NOTICEABLE_MS = 1.0


def slow_entries(baseline: Window, observed: Window) -> list[Symptom]:
    """Slow entry points, the one that costs users most time first."""
    normal = _usual(baseline.traffic)
    seen = samples_by_route([row for row in observed.served if row.entry], whole)
    total = sum(sample.calls * sample.mean_ms for samples in seen.values() for sample in samples.values())
    found = []
    for (service, route), samples in seen.items():
        usual = normal.get((service, route))
        shift = shift_of([(usual, samples)]) if usual is not None else None
        if shift is not None and slower(shift):
            severity = shift.excess_ms / total
            found.append(Symptom(service, route, "latency", shift.baseline_ms, shift.observed_ms, severity, shift.z))
    return sorted(found, key=lambda symptom: -symptom.severity)


@once
def _usual(traffic: Traffic) -> Mapping[tuple[str, str], Normal]:
    """What is normal for each entry point."""
    return normals([row for row in traffic.served if row.entry], whole)


def slower(shift: Shift) -> bool:
    """Whether a person would call this slower."""
    added = shift.observed_ms - shift.baseline_ms
    return shift.z >= CLEAR and shift.ratio >= NOTICEABLE and added >= NOTICEABLE_MS
