"""Whom a request waits for: the chain of calls that ends it, and what runs beside without holding it up.

In: spans of whole requests. Out: time by service and link along the path, which sums to the whole of the request, and
the time of what ran beside. Walked from the end: of the calls that are over by then the last to end is waited for, and
so on back from its beginning. What begins after its caller has answered, or ends later, nobody waits for.
A callee's clock may be off: what does not fit into its call is moved into the middle of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rootcause.load.spans import Kind, Span

_TICK_NS = 100_000
"""What begins this little before another ends began after it: clocks and rounding are no finer."""

Below = Mapping[tuple[str, str], Sequence[Span]]


@dataclass(frozen=True, slots=True)
class Path:
    """Nanoseconds by service, or by `source -> destination` for what is lost between both: on the path, and beside."""

    on: Mapping[str, int] = field(default_factory=dict)
    beside: Mapping[str, int] = field(default_factory=dict)


def children(spans: Iterable[Span]) -> Below:
    """By trace and id of the parent."""
    below: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for span in spans:
        if span.parent and span.parent != span.id:
            below[span.trace, span.parent].append(span)
    return below


def critical_path(request: Span, below: Below) -> Path:
    """Of one request and all that it led to."""
    on: Counter[str] = Counter()
    beside: Counter[str] = Counter()
    waiting, walked = [(request, 0, request.start_ns, request.end_ns)], {request.id}
    while waiting:
        span, moved, since, at = waiting.pop()
        for child, its_move in _last_first(span, moved, below):
            if child.id in walked:
                continue
            begin, end = child.start_ns + its_move, child.end_ns + its_move
            if end > at + _TICK_NS or begin < since - _TICK_NS:
                beside[_callee(child, below) or child.service] += child.duration_ns
                continue
            last = min(end, at)
            first = min(max(begin, since), last)
            on[_where(span, below)] += at - last
            waiting.append((child, its_move, first, last))
            walked.add(child.id)
            at = first
        on[_where(span, below)] += at - since
    return Path(+on, +beside)


def _last_first(span: Span, moved: int, below: Below) -> list[tuple[Span, int]]:
    """Children with how far they have to be moved to lie where they were, the last to end first."""
    found = [(child, _move(span, moved, child)) for child in below.get((span.trace, span.id), ())]
    return sorted(found, key=lambda one: one[0].end_ns + one[1], reverse=True)


def _move(span: Span, moved: int, child: Span) -> int:
    """Inside one process there is one clock; another's is trusted when the call fits, and when it may well go on after
    its caller, who records no call of its own, has answered."""
    fits = span.start_ns <= child.start_ns and child.end_ns <= span.end_ns
    aside = span.kind is not Kind.CLIENT and child.start_ns < span.end_ns and child.end_ns > span.start_ns
    if child.service == span.service or fits or aside or child.duration_ns > span.duration_ns:
        return moved
    return span.start_ns + moved + (span.duration_ns - child.duration_ns) // 2 - child.start_ns


def _where(span: Span, below: Below) -> str:
    """A call's own time is the link's, or of the callee that tells nothing."""
    if span.kind is not Kind.CLIENT:
        return span.service
    callee = _callee(span, below)
    return f"{span.service} -> {callee}" if callee else span.service


def _callee(span: Span, below: Below) -> str:
    """Whom a call is for; empty when it is none."""
    if span.kind is not Kind.CLIENT:
        return ""
    others = [child.service for child in below.get((span.trace, span.id), ()) if child.service != span.service]
    return others[0] if others else span.peer
