"""Puts the spans of a trace on one clock, that of its first span, where hosts disagree by more than a second: a request
is of the time in which it was asked, whatever its host thinks.

In: spans, by trace and id. Out: the same, moved with all that is below them. Never: another duration. A call whose
other end seems to begin long before it, or long after it was over, took place in the middle of it; what goes on when
its caller has answered has to begin before that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rootcause.load.spans import Span

_OFF_NS = 1_000_000_000
"""Less than this moves nothing from one bucket to another but at their edges."""

Key = tuple[str, str]


def on_one_clock(spans: Iterable[Span]) -> list[Span]:
    """Of spans told twice one is kept, for exporters try again."""
    known = {(span.trace, span.id): span for span in spans}
    off = {key: ns for key, span in known.items() if (ns := _off_ns(span, known))}
    if not off:
        return list(known.values())
    moved: dict[Key, int] = {}
    return [_moved(span, _sum(key, known, off, moved)) for key, span in known.items()]


def _off_ns(span: Span, known: Mapping[Key, Span]) -> int:
    """How far it has to be moved to lie in its parent's time; 0 where it does, or shares its clock."""
    parent = known.get((span.trace, span.parent)) if span.parent else None
    if parent is None or parent.service == span.service:
        return 0
    if parent.start_ns - _OFF_NS <= span.start_ns <= parent.end_ns + _OFF_NS:
        return 0
    return parent.start_ns + max(0, parent.duration_ns - span.duration_ns) // 2 - span.start_ns


def _sum(key: Key, known: Mapping[Key, Span], off: Mapping[Key, int], moved: dict[Key, int]) -> int:
    """With all that is above; `moved` keeps what is known already."""
    way: list[Key] = []
    at: Key | None = key
    while at is not None and at in known and at not in moved:
        moved[at] = 0
        way.append(at)
        at = (at[0], known[at].parent) if known[at].parent else None
    total = moved[at] if at is not None and at in moved else 0
    for one in reversed(way):
        total += off.get(one, 0)
        moved[one] = total
    return moved[key]


def _moved(span: Span, ns: int) -> Span:
    return replace(span, start_ns=span.start_ns + ns) if ns else span
