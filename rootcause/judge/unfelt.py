"""Leaves of the steps inside requests those that are worth waking somebody for though users feel nothing.

In: both windows, who was changed just before. Out: the windows with fewer steps. A request that newly does something
else, and is as fast and as good as before, is a feature; one that newly tells of trouble, or no longer says what
nearly every one said, has lost something on the way. What a new release no longer says is its own business.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import replace

from rootcause.load.log_trouble import tells_of_trouble
from rootcause.load.window import REQUEST, Step, Window

_NEARLY_ALL = 0.95
_TOLD = re.compile(r'(?:log|event) "(.*)"')


def unfelt(baseline: Window, observed: Window, changed: Set[str]) -> tuple[Window, Window]:
    """`changed` are services that somebody changed just before."""
    lost = {
        (step.service, step.route, step.name)
        for step in baseline.steps
        if step.name.startswith("log ") and step.present >= _NEARLY_ALL * step.requests and step.service not in changed
    }
    return _with(baseline, lost), _with(observed, lost)


def _with(window: Window, lost: Set[tuple[str, str, str]]) -> Window:
    return replace(window, steps=tuple(step for step in window.steps if _counts(step, lost)))


def _counts(step: Step, lost: Set[tuple[str, str, str]]) -> bool:
    told = _TOLD.match(step.name)
    trouble = told is not None and tells_of_trouble(told[1], told[1])
    return step.name == REQUEST or trouble or (step.service, step.route, step.name) in lost
