"""Says of a certificate how long it is good for yet, and what happens then.

In: when it was issued, when it ends, the time (seconds since 1970). Out: words, and how bad it is. Pure.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

_RENEWED_AFTER, _LATE_AFTER = 2 / 3, 3 / 4
"""Of its life: when a proxy asks for the next one, and when it is late with that (docs/control.md)."""


@dataclass(frozen=True)
class Standing:
    """`left` and `then` are for people."""

    left: str
    then: str
    colour: Literal["green", "orange", "red", "gray"]


def standing(issued: float, ends: float | None, now: float) -> Standing:
    """Of one certificate; `ends` is None where nobody said."""
    if ends is None:
        return Standing("not known", "", "gray")
    if ends <= now:
        gone = "connections with it are refused: `tls_expired`; or its proxy has been stopped"
        return Standing(f"ended {span(now - ends)} ago", gone, "red")
    life, left = ends - issued, f"{span(ends - now)} left"
    due = f"{datetime.fromtimestamp(issued + life * _RENEWED_AFTER, UTC):%m-%d %H:%M} UTC"
    if now < issued + life * _LATE_AFTER:
        return Standing(left, f"renewed by itself at about {due}", "green")
    late = f"late: it should have been renewed at {due}; once it ends its calls fail (`whymesh ca status` says why)"
    return Standing(left, late, "orange")


def span(seconds: float) -> str:
    """`40 s`, `12 min`, `23 h`, `20 days`."""
    for unit, size, most in (("s", 1, 120), ("min", 60, 7_200), ("h", 3_600, 259_200)):
        if seconds < most:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"
