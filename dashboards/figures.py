"""Turns measured numbers into the few characters that people read: `42 ms`, `3.1/s`, `0.4 %`.

In: nanoseconds, calls a second, shares between 0 and 1, times. Out: text. Never: more digits than a glance takes in.
"""

from datetime import UTC, datetime
from math import isnan

NOTHING = "\u2013"  # a plain dash alone would become a list in Markdown
_UNITS = (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0))


def _short(value: float) -> str:
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.2g}"


def duration(nanoseconds: float | None) -> str:
    """A time in the unit that keeps it between 1 and 1000; minutes above two of them."""
    if nanoseconds is None or isnan(nanoseconds):
        return NOTHING
    if nanoseconds >= 120e9:
        return f"{nanoseconds / 60e9:.1f} min"
    for unit, size in _UNITS:
        if nanoseconds >= size:
            return f"{_short(nanoseconds / size)} {unit}"
    return "0 ms"


def rate(per_second: float) -> str:
    """Calls a second; slower than one in ten seconds becomes calls a minute."""
    if 0 < per_second < 0.1:
        return f"{_short(per_second * 60)}/min"
    return f"{_short(per_second)}/s"


def share(part: float | None) -> str:
    """A share as a percentage; what is not zero never reads as zero."""
    if part is None or isnan(part):
        return NOTHING
    percent = part * 100
    if 0 < percent < 0.01:
        return "<0.01 %"
    return f"{percent:.2g} %" if percent < 10 else f"{percent:.0f} %"


def size(count: int) -> str:
    """Bytes in the binary unit that keeps them short."""
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{_short(value)} {unit}"
        value /= 1024
    return f"{_short(value)} GiB"


def measured(value: float | None, unit: str) -> str:
    """A finding's number in its own unit (`ms`, `ns`, `s`, `us`, `ratio`), as its author meant it."""
    if value is None:
        return NOTHING
    nanoseconds = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}.get(unit)
    if nanoseconds is not None:
        sign = "-" if value < 0 else ""
        return sign + duration(abs(value) * nanoseconds)
    if unit in {"ratio", "share", "fraction"}:
        return share(value)
    return f"{_short(value)} {unit}".strip()


def change(before: float | None, after: float | None, unit: str) -> str:
    """From what to what, in the same words as `measured`; a dash when neither was measured."""
    if before is None and after is None:
        return NOTHING
    return f"{measured(before, unit)} → {measured(after, unit)}"


def ago(then: datetime, now: datetime) -> str:
    """How long before `now` something happened, in its largest whole unit."""
    seconds = max(0, int((now - then).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def clock(moment: datetime) -> str:
    """A moment as people write it in an incident channel, always UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
