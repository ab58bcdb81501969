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

TICK_NS = 100_000
"""What begins this little before another ends began after it: clocks and rounding are no finer."""

Below = Mapping[tuple[str, str], Sequence[Span]]


@dataclass(frozen=True, slots=True)
class Path:
    """Nanoseconds by service, or by `source -> destination` for what is lost between both: on the path, and beside;
    `aside` are the calls that nobody waited for."""

    on: Mapping[str, int] = field(default_factory=dict)
    beside: Mapping[str, int] = field(default_factory=dict)
    aside: tuple[Span, ...] = ()


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
    aside: list[Span] = []
    waiting, walked = [(request, 0, request.start_ns, request.end_ns)], {request.id}
    while waiting:
        span, moved, since, at = waiting.pop()
        for child, its_move in sorted(moved_in(span, moved, below), key=_end, reverse=True):
            if child.id in walked:
                continue
            begin, end = child.start_ns + its_move, child.end_ns + its_move
            if end > at + TICK_NS or begin < since - TICK_NS:
                beside[_callee(child, below) or child.service] += child.duration_ns
                aside.append(child)
                continue
            last = min(end, at)
            first = min(max(begin, since), last)
            on[place_of(span, below)] += at - last
            waiting.append((child, its_move, first, last))
            walked.add(child.id)
            at = first
        on[place_of(span, below)] += at - since
    return Path(+on, +beside, tuple(aside))


def moved_in(span: Span, moved: int, below: Below) -> list[tuple[Span, int]]:
    """Calls of a request, or the request behind a call, with how far they have to be moved to lie where they were. What
    goes on inside of the service is its own, and no rival of a call that it may be waiting for."""
    found, passed = [], {span.id}
    waiting = list(below.get((span.trace, span.id), ()))
    while waiting:
        child = waiting.pop()
        if child.kind is not Kind.INTERNAL or child.service != span.service:
            found.append((child, _move(span, moved, child)))
        elif child.id not in passed:
            passed.add(child.id)
            waiting += below.get((child.trace, child.id), ())
    return found


def _end(child: tuple[Span, int]) -> int:
    return child[0].end_ns + child[1]


def _move(span: Span, moved: int, child: Span) -> int:
    """Inside one process there is one clock; another's is trusted when the call fits, and when it may well go on after
    its caller, who records no call of its own, has answered."""
    fits = span.start_ns <= child.start_ns and child.end_ns <= span.end_ns
    aside = span.kind is not Kind.CLIENT and child.start_ns < span.end_ns and child.end_ns > span.start_ns
    if child.service == span.service or fits or aside or child.duration_ns > span.duration_ns:
        return moved
    return span.start_ns + moved + (span.duration_ns - child.duration_ns) // 2 - child.start_ns


def place_of(span: Span, below: Below) -> str:
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
