"""How steps are called that somebody wrote down: a line logged, an event of a span.

In: what was written, as a pattern. Out: the name of its step; from such a name, what was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Where = Literal["log", "event"]
_WRITTEN = re.compile(r'(log|event) "(.*)"')


@dataclass(frozen=True, slots=True)
class Written:
    """A line of a log, or an event of a span, and what it says."""

    where: Where
    text: str


def logged(pattern: str) -> str:
    """The step of writing such a line."""
    return f'log "{pattern}"'


def unsaid(pattern: str) -> str:
    """The step of no longer writing such a line."""
    return f'no log "{pattern}"'


def happened(event: str) -> str:
    """The step of recording such an event."""
    return f'event "{event}"'


def written(step: str) -> Written | None:
    """None where the step is of another sort."""
    found = _WRITTEN.match(step)
    return None if found is None else Written("log" if found[1] == "log" else "event", found[2])
