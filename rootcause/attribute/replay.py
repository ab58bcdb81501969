"""What a request would have taken if one service or link had been as fast as usual: the same calls in the same order,
each begun when those were over that it had waited for.

In: spans of a whole request, and by service, or by `source -> destination`, how much of its time is left. Out: its
time. Never: a wait for what goes on after its caller has answered.
"""

from __future__ import annotations

from collections.abc import Mapping

from rootcause.attribute.critical_path import TICK_NS, Below, moved_in, place_of
from rootcause.load.spans import Span

_DEEPEST = 200


def replayed_ns(span: Span, below: Below, left: Mapping[str, float], moved: int = 0, depth: int = 0) -> float:
    """`left` is 0..1 by place, 1 for those it does not name; `moved` is how far the clock of `span` is put right."""
    if depth > _DEEPEST:
        return span.duration_ns
    own = left.get(place_of(span, below), 1.0)
    start, end = span.start_ns + moved, span.end_ns + moved
    over: list[tuple[int, float]] = [(start, 0.0)]
    """When each call was over, and when it would have been, counted from the beginning."""
    for child, its_move in sorted(moved_in(span, moved, below), key=lambda one: one[0].start_ns + one[1]):
        begin, until = child.start_ns + its_move, child.end_ns + its_move
        if until > end + TICK_NS or begin < start - TICK_NS:
            continue
        last, would_be = max((one for one in over if one[0] <= begin + TICK_NS), default=over[0])
        begun = would_be + max(0, begin - last) * own
        over.append((until, begun + replayed_ns(child, below, left, its_move, depth + 1)))
    last = max(at for at, _ in over)
    return max(would_be for _, would_be in over) + max(0, end - last) * own
