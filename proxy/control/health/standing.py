"""What is thought of an instance after each answer.

In: answers, the time in seconds. Out: a `Standing`. Pure. Of whom nothing is known yet, the first answer decides, so
that one that joins before it can serve gets requests for one check and not for several.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

State = Literal["unknown", "well", "unwell"]


@dataclass(frozen=True)
class Standing:
    """State since when, and why it came to it; `against` counts the answers in a row that speak against it."""

    state: State
    since: float
    why: str = ""
    against: int = 0


def after(before: Standing, complaint: str | None, now: float, passes: int, fails: int) -> Standing:
    """The standing after one more answer; `complaint` is what was wrong with it, None when nothing was.

    `passes` answers in a row make an unwell instance well, `fails` a well one unwell.
    """
    said: State = "well" if complaint is None else "unwell"
    if before.state == said:
        return replace(before, against=0)
    needed = 1 if before.state == "unknown" else passes if said == "well" else fails
    if before.against + 1 >= needed:
        return Standing(said, now, complaint or "")
    return Standing(before.state, before.since, before.why, before.against + 1)
