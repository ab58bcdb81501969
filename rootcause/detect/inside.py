"""Words a trouble that no entry point shows clearly in terms of the suspect itself."""

from rootcause.detect.fewer import SURE
from rootcause.detect.symptom import Symptom
from rootcause.judge.suspect import Suspect


def felt_inside(suspect: Suspect, entry_calls: int) -> Symptom:
    """The strongest thing that speaks against the suspect, as the symptom."""
    return max(_told(suspect, entry_calls), key=lambda symptom: symptom.severity)


def _told(suspect: Suspect, entry_calls: int) -> list[Symptom]:
    name, found = suspect.service, []
    for time in (suspect.own_time, *(link.time for link in suspect.links)):
        if time is not None:
            found.append(Symptom(name, "", "latency", time.baseline_ms, time.observed_ms, suspect.time_part, time.z))
    for errors in (suspect.own_errors, *(link.errors for link in suspect.links)):
        if errors is not None:
            rates = errors.baseline_rate, errors.observed_rate
            found.append(Symptom(name, "", "errors", *rates, suspect.error_part, -errors.log_chance))
    for loop in suspect.loops:
        calls_ms = (loop.expected * loop.mean_ms / loop.requests, loop.made * loop.mean_ms / loop.requests)
        found.append(Symptom(name, "", "latency", *calls_ms, suspect.time_part, -SURE))
    for drop in suspect.drops:
        rates = drop.baseline_rate, drop.observed_rate
        strength = -drop.fall.log_chance
        found.append(Symptom(drop.destination, "", "throughput", *rates, suspect.step_part, strength))
    if suspect.steps is not None:
        step = suspect.steps
        share = step.changed / entry_calls
        found.append(Symptom(name, step.route, "errors", 0.0, share, suspect.step_part, -step.log_chance))
    if suspect.silent is not None:
        share = suspect.error_part + suspect.step_part
        found.append(Symptom(name, "", "errors", 0.0, share, share, suspect.silent.expected))
    if suspect.full is not None:
        full = suspect.full
        found.append(Symptom(name, "", "saturation", full.baseline, full.observed, suspect.full_part, 0.0))
    for stray in suspect.strays[:1]:
        found.append(Symptom(name, "", "saturation", 1.0, stray.grown, suspect.stray_part, stray.times))
    if suspect.full is None and suspect.surge is not None:
        found.append(Symptom(name, "", "saturation", 1.0, suspect.surge.grown, suspect.full_part, 0.0))
    return found
