"""What requests of a service no longer do, or do that they never did: the mark of a swallowed exception
or an early return.

In: steps of both windows. Out: the clearest change for each service, by Fisher's exact test on how many requests do it.
"""

from collections import defaultdict
from dataclasses import dataclass, replace

from rootcause.detect.chance import log_fisher
from rootcause.load.window import OF_TIME, Step, Window, calls

_OPTIONAL = 0.05
"""What more than this share of requests do, and this share do not, depends on what they ask for."""


@dataclass(frozen=True, slots=True)
class StepShift:
    """Shares of the requests of `route` that do `name`, before and now; `changed` requests are beyond
    the normal share."""

    service: str
    route: str
    name: str
    baseline_share: float
    observed_share: float
    changed: float
    log_chance: float


def step_shifts(baseline: Window, observed: Window) -> dict[str, StepShift]:
    """The least likely change of each service's requests."""
    before, now = _by_route(baseline), _by_route(observed)
    found: dict[str, StepShift] = {}
    for route in sorted(before.keys() & now.keys()):
        usual, seen = before[route], now[route]
        of_before, of = _requests(usual), _requests(seen)
        for name in sorted(usual.keys() | seen.keys()):
            present_before = usual[name].present if name in usual else 0
            present = seen[name].present if name in seen else 0
            shift = _compare(route, name, (present, of), (present_before, of_before), _weight(seen))
            if shift is not None and route[1] == OF_TIME:
                shift = _as_requests(shift, observed)
            held = found.get(route[0])
            if shift is not None and (held is None or shift.log_chance < held.log_chance):
                found[route[0]] = shift
    return found


def _compare(
    route: tuple[str, str], name: str, now: tuple[int, int], before: tuple[int, int], weight: float
) -> StepShift | None:
    usual, share = before[0] / before[1], now[0] / now[1]
    if share == usual or _OPTIONAL < usual < 1 - _OPTIONAL:
        return None
    if share > usual:
        chance = log_fisher(*now, *before)
    else:
        chance = log_fisher(now[1] - now[0], now[1], before[1] - before[0], before[1])
    return StepShift(*route, name, usual, share, abs(share - usual) * now[1] * weight, chance)


def _as_requests(shift: StepShift, observed: Window) -> StepShift | None:
    """Of what is counted in buckets of time: the requests that the service met in that share of it. Trouble that is
    over is no fault."""
    met = sum(calls(row.buckets) for row in observed.served if row.service == shift.service) or observed.entry_calls
    added = shift.observed_share - shift.baseline_share
    return replace(shift, changed=added * met) if added > 0 else None


def _by_route(window: Window) -> dict[tuple[str, str], dict[str, Step]]:
    found: dict[tuple[str, str], dict[str, Step]] = defaultdict(dict)
    for step in window.steps:
        found[step.service, step.route][step.name] = step
    return found


def _weight(steps: dict[str, Step]) -> float:
    return next(iter(steps.values())).weight


def _requests(steps: dict[str, Step]) -> int:
    return next(iter(steps.values())).requests
