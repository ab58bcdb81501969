"""Who else strays from normal, though it is not to blame as far as the evidence goes: whom to look at next when the
first suspect turns out to be innocent.

In: the evidence, and who is ranked already. Out: suspects without a score, whoever chance explains least first.
"""

from collections.abc import Iterable

from rootcause.judge.evidence import Evidence
from rootcause.judge.suspect import Suspect

_WORTH_A_LOOK = 4.6
"""Surprise, in minus the log of the probability of chance, of one in a hundred."""


def runners_up(evidence: Evidence, ranked: Iterable[Suspect]) -> list[Suspect]:
    """Suspects beside the `ranked` ones: explained away by what they call, or not clear enough to be blamed."""
    known = {suspect.service for suspect in ranked}
    services = (evidence.own_time.keys() | evidence.own_errors.keys() | evidence.steps.keys()) - known
    found = [(surprise, service) for service in services if (surprise := _surprise(evidence, service)) >= _WORTH_A_LOOK]
    return [
        Suspect(
            service,
            own_time=evidence.own_time.get(service),
            own_errors=evidence.own_errors.get(service),
            steps=evidence.steps.get(service),
        )
        for surprise, service in sorted(found, key=lambda one: (-one[0], one[1]))
    ]


def _surprise(evidence: Evidence, service: str) -> float:
    """Of its clearest shift for the worse."""
    time, errors = evidence.own_time.get(service), evidence.own_errors.get(service)
    steps = evidence.steps.get(service)
    slow = time.z**2 / 2 if time is not None and time.z > 0 else 0.0
    failing = -errors.log_chance if errors is not None else 0.0
    changed = -steps.log_chance if steps is not None else 0.0
    return max(slow, failing, changed)
