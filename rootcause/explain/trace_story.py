"""Says what became of one request, from the spans of its trace: where it failed first, or where its time went.

In: the spans of one trace, any order. Out: a story. Pure; one bad trace proves nothing about the mesh as a whole, for
that there are incidents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from rootcause.attribute.critical_path import children, critical_path
from rootcause.explain.quantities import ms, percent
from rootcause.load.from_spans import covered_ns
from rootcause.load.spans import Kind, Span
from rootcause.load.traced import TracedSpan

_MOST_SPENDERS = 5


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hop(_Part):
    """One span, `depth` steps below the entry. `own_ms` is its time without its children's."""

    depth: int
    span: str
    service: str
    instance: str
    kind: str
    name: str
    peer: str
    ms: float
    own_ms: float
    status: str
    reason: str
    rule: str
    missed: str
    bad: bool


class Spent(_Part):
    """Time that the request waited for a service itself (or a link, `source -> destination`), and its share (0..1)."""

    where: str
    ms: float
    share: float


class TraceStory(_Part):
    """What `GET /v1/traces/{id}` answers. `origin` is the hop where the failure began, null when nothing failed;
    `orphans` counts spans whose parent is not stored."""

    trace: str
    started_at: datetime
    ms: float
    failed: bool
    summary: str
    origin: Hop | None
    spent: tuple[Spent, ...]
    hops: tuple[Hop, ...]
    orphans: int


def tell(spans: Sequence[TracedSpan]) -> TraceStory:
    """The story of one trace, of at least one span."""
    below, roots = _tree(spans)
    walked = [step for root in roots for step in _walk(root, below)]
    hops = {traced.span.id: _hop(traced, depth, below[traced.span.id]) for traced, depth in walked}
    entry = roots[0]
    origin = _origin(entry, below)
    spent = _spent(entry.span, spans)
    first = hops[entry.span.id]
    return TraceStory(
        trace=entry.span.trace,
        started_at=datetime.fromtimestamp(entry.span.start_ns / 1e9, UTC),
        ms=first.ms,
        failed=entry.bad,
        summary=_summary(first, hops[origin.span.id] if origin else None, spent),
        origin=hops[origin.span.id] if origin else None,
        spent=spent,
        hops=tuple(hops.values()),
        orphans=sum(1 for root in roots if root.span.parent),
    )


_Below = dict[str, list[TracedSpan]]


def _tree(spans: Sequence[TracedSpan]) -> tuple[_Below, list[TracedSpan]]:
    """Children by parent, and the roots: true ones first, then the earliest."""
    known = {traced.span.id for traced in spans}
    below: _Below = defaultdict(list)
    roots = []
    for traced in sorted(spans, key=lambda traced: traced.span.start_ns):
        if traced.span.parent in known and traced.span.parent != traced.span.id:
            below[traced.span.parent].append(traced)
        else:
            roots.append(traced)
    return below, sorted(roots or list(spans)[:1], key=lambda traced: bool(traced.span.parent))


def _walk(root: TracedSpan, below: _Below) -> list[tuple[TracedSpan, int]]:
    """Depth first, without recursion: a trace may be deeper than Python's stack."""
    found, waiting, seen = [], [(root, 0)], set()
    while waiting:
        traced, depth = waiting.pop()
        if traced.span.id in seen:
            continue
        seen.add(traced.span.id)
        found.append((traced, depth))
        waiting += [(child, depth + 1) for child in reversed(below[traced.span.id])]
    return found


def _hop(traced: TracedSpan, depth: int, children: Sequence[TracedSpan]) -> Hop:
    span = traced.span
    return Hop(
        depth=depth,
        span=span.id,
        service=span.service,
        instance=span.instance,
        kind=span.kind.value,
        name=span.name,
        peer=span.peer,
        ms=span.duration_ns / 1e6,
        own_ms=(span.duration_ns - _beneath_ns(span, [child.span for child in children])) / 1e6,
        status=traced.status,
        reason=traced.reason,
        rule=traced.rule,
        missed=traced.missed,
        bad=traced.bad,
    )


def _beneath_ns(span: Span, children: Sequence[Span]) -> int:
    """How long children were at work. A call has one other end, whose clock may be off: only its duration counts."""
    if len(children) == 1 and children[0].service != span.service:
        return min(span.duration_ns, children[0].duration_ns)
    return covered_ns([(child.start_ns, child.end_ns) for child in children], span)


def _origin(entry: TracedSpan, below: _Below) -> TracedSpan | None:
    """Down from the entry: of the children that went wrong the last to end, for an earlier one was tried again."""
    if not entry.bad:
        return None
    at, seen = entry, {entry.span.id}
    while bad := [child for child in below[at.span.id] if child.bad and child.span.id not in seen]:
        at = max(bad, key=lambda child: child.span.end_ns)
        seen.add(at.span.id)
    return at


def _spent(entry: Span, spans: Sequence[TracedSpan]) -> tuple[Spent, ...]:
    """Whom the request waited for: of calls side by side only the last to end counts, so that all of it adds up to the
    whole. The time of a call that its callee does not account for is the link's."""
    path = critical_path(entry, children(traced.span for traced in spans)).on
    ordered = sorted(path.items(), key=lambda item: (-item[1], item[0]))[:_MOST_SPENDERS]
    whole = max(1, entry.duration_ns)
    return tuple(Spent(where=where, ms=ns / 1e6, share=ns / whole) for where, ns in ordered)


def _summary(entry: Hop, origin: Hop | None, spent: Sequence[Spent]) -> str:
    answered = f" answered {entry.status}" if entry.status else " failed" if entry.bad else ""
    start = f"{entry.service} [{entry.name}]{answered} after {ms(entry.ms)}"
    if origin is None:
        first = spent[0]
        return f"{start}; nothing failed. {first.where} took {ms(first.ms)} of it ({percent(first.share)})"
    return f"{start}: {_blame(origin)}"


def _blame(origin: Hop) -> str:
    where = f"{origin.service} ({origin.instance})" if origin.instance else origin.service
    called = origin.kind == Kind.CLIENT.value and origin.peer
    if origin.reason:
        what = f"the call from {where} to {origin.peer}" if called else f"the request to {where}"
        return f"{what} ended in {origin.reason}{_by_rule(origin)}"
    status = f" with {origin.status}" if origin.status else ""
    if called:
        return f"the call from {where} to {origin.peer} failed{status}, and {origin.peer} has no span of it"
    return f"{where} failed{status} by its own doing: none of its calls did"


def _by_rule(origin: Hop) -> str:
    """Which rule of a policy it was."""
    if not origin.rule:
        return ""
    if origin.missed:
        return f": the nearest rule is {origin.rule}, and it misses {origin.missed}"
    return f", by rule {origin.rule}"
