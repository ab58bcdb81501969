"""Leaves of the steps inside requests those that are worth waking somebody for though users feel nothing.

In: both windows, who was changed just before. Out: the windows with fewer steps. A request that newly does something
else, and is as fast and as good as before, is a feature; one that newly tells of trouble, or no longer says what
nearly every one said, or not as often, has lost something on the way. What a new release no longer says is its own
business.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from rootcause.load.log_trouble import tells_of_trouble
from rootcause.load.step_names import written
from rootcause.load.window import REQUEST, Step, Window

_NEARLY_ALL = 0.95
Place = tuple[str, str, str]
"""Service, route and name of a step."""


def unfelt(baseline: Window, observed: Window, changed: Set[str]) -> tuple[Window, Window]:
    """`changed` are services that somebody changed just before."""
    usual = _said_by_nearly_all(step for step in baseline.steps if step.service not in changed)
    return _with(baseline, usual), _with(observed, usual)


def _said_by_nearly_all(steps: Iterable[Step]) -> Mapping[Place, int]:
    """How many times at least."""
    requests: Counter[Place] = Counter()
    often: dict[Place, Counter[int]] = defaultdict(Counter)
    for step in steps:
        told = written(step.name)
        if told is not None and told.where == "log":
            requests[_place(step)] += step.requests
            often[_place(step)].update(dict(step.often))
    found = {place: _at_least(often[place], _NEARLY_ALL * of) for place, of in requests.items()}
    return {place: times for place, times in found.items() if times}


def _at_least(often: Counter[int], requests: float) -> int:
    """The most times that so many requests all did it."""
    fits = (times for times in often if sum(many for done, many in often.items() if done >= times) >= requests)
    return max(fits, default=0)


def _with(window: Window, usual: Mapping[Place, int]) -> Window:
    return replace(window, steps=tuple(kept for step in window.steps if (kept := _kept(step, usual)) is not None))


def _kept(step: Step, usual: Mapping[Place, int]) -> Step | None:
    """Of what is no trouble no more than nearly all said: that something is said more often is no loss."""
    told = written(step.name)
    if step.name == REQUEST or (told is not None and tells_of_trouble(told.text, told.text)):
        return step
    most = usual.get(_place(step))
    if most is None:
        return None
    often: Counter[int] = Counter()
    for times, many in step.often:
        often[min(times, most)] += many
    return replace(step, often=tuple(sorted(often.items())))


def _place(step: Step) -> Place:
    return step.service, step.route, step.name
