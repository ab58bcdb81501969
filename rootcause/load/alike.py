"""Makes the steps of two windows comparable when more spans were lost in one of them: what lost spans would have told
is no change in what requests do.

In: both windows. Out: the same with steps as if both had lost alike. In which order others are called is not told at
all of services that lost more at one time: without the call between them two others follow each other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import comb

from rootcause.load.window import OF_TIME, REQUEST, Step, Window

_ALIKE = 0.95
"""Shares as near to each other as this are the same."""
_MANY_TIMES = 200
_HARDLY = 0.1
"""What fewer requests than this are expected to show is seen by none of them."""


def alike(baseline: Window, observed: Window) -> tuple[Window, Window]:
    """Both windows; steps of services of which not both tell how much they lost are taken as they are."""
    return _thinned(baseline, observed), _thinned(observed, baseline)


def _thinned(window: Window, other: Window) -> Window:
    kept = {name: other.captured[name] / share for name, share in window.captured.items() if name in other.captured}

    return replace(window, steps=tuple(one for step in window.steps if (one := _as_in(step, kept)) is not None))


def _as_in(step: Step, kept: Mapping[str, float]) -> Step | None:
    """The step as in the other window; None where that cannot be told."""
    if step.name == REQUEST or step.route == OF_TIME:
        return step
    callee = step.name.removeprefix("-> ").split(" (")[0]
    shares = [kept.get(name, 1.0) for name in (step.service, callee)]
    if all(_ALIKE <= share <= 1 / _ALIKE for share in shares):
        return step
    if ", then -> " in step.name:
        return None
    return replace(step, often=_kept(step.often, min(1.0, *shares)))


def _kept(often: Iterable[tuple[int, int]], share: float) -> tuple[tuple[int, int], ...]:
    """How often it would be seen if each time were lost by itself (the binomial distribution)."""
    expected: Counter[int] = Counter()
    left: dict[int, float] = defaultdict(float)
    for times, many in often:
        if times > _MANY_TIMES:
            expected[round(times * share)] += many
            continue
        for seen in range(1, times + 1):
            left[seen] += many * comb(times, seen) * share**seen * (1 - share) ** (times - seen)
    expected.update({seen: max(1, round(many)) for seen, many in left.items() if many >= _HARDLY})
    return tuple(sorted((seen, many) for seen, many in expected.items() if seen))
