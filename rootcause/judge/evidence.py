"""Compares normal time with the time in question in every way there is, before anybody is blamed for it.

In: both windows. Out: the shifts of `attribute/`, significant or not.
"""

from dataclasses import dataclass, field

from rootcause.attribute.attempts import Attempts, attempts
from rootcause.attribute.drops import Drop, drops
from rootcause.attribute.links import Ends, LinkShift, link_shifts
from rootcause.attribute.newcomers import newcomer_error_shifts
from rootcause.attribute.own_errors import ErrorShift, own_error_shifts
from rootcause.attribute.own_time import own_time_shifts
from rootcause.attribute.refused import refusals
from rootcause.attribute.saturation import Saturation, saturations
from rootcause.attribute.silent import Silent, silent_services
from rootcause.attribute.steps import StepShift, step_shifts
from rootcause.attribute.surge import Surge, surges
from rootcause.detect.baseline import Shift
from rootcause.load.alike import alike
from rootcause.load.window import Window


@dataclass(frozen=True, slots=True)
class Evidence:
    """All shifts, significant or not: what the ranking was made from."""

    own_time: dict[str, Shift]
    own_errors: dict[str, ErrorShift]
    links: dict[Ends, LinkShift]
    steps: dict[str, StepShift]
    full: dict[str, Saturation]
    surges: dict[str, Surge] = field(default_factory=dict)
    silent: dict[str, Silent] = field(default_factory=dict)
    refused: dict[Ends, ErrorShift] = field(default_factory=dict)
    drops: dict[Ends, Drop] = field(default_factory=dict)
    attempts: dict[Ends, Attempts] = field(default_factory=dict)


def gather(baseline: Window, observed: Window) -> Evidence:
    """Compares the two windows in every way."""
    own_time = own_time_shifts(baseline, observed)
    return Evidence(
        own_time=own_time,
        own_errors=_clearer(own_error_shifts(baseline, observed), newcomer_error_shifts(baseline, observed)),
        links=link_shifts(baseline, observed),
        steps=step_shifts(*alike(baseline, observed)),
        full=saturations(baseline, observed),
        surges=surges(baseline, observed),
        silent=silent_services(baseline, observed, own_time),
        refused=refusals(baseline, observed),
        drops=drops(baseline, observed),
        attempts=attempts(baseline, observed),
    )


def _clearer(one: dict[str, ErrorShift], other: dict[str, ErrorShift]) -> dict[str, ErrorShift]:
    """Of two views of the same service, the one that chance explains less."""
    return {
        service: min((view[service] for view in (one, other) if service in view), key=lambda shift: shift.log_chance)
        for service in one.keys() | other.keys()
    }
