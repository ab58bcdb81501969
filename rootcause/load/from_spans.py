"""Turns raw spans into a window: pairs parents with children, so that nothing but OpenTelemetry's own fields is needed.

In: spans in any order, of the given intervals. Out: the same Window that the roll-ups give, and the steps
inside requests.
A request is a span that enters a service: of kind server, or with no parent here, or with a parent in another service.
Its own time is its duration less the union of the times in which a call was in flight. Spans whose parent is missing
count as requests of their own, from outside unless others are seen to call the service. Durations are compared only
where one clock measured both, so skewed clocks do no harm.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rootcause.load.callees import NOTHING_LEARNED, Callees, calling
from rootcause.load.clocks import on_one_clock
from rootcause.load.lost import lost_of
from rootcause.load.spans import Kind, Span
from rootcause.load.step_names import happened
from rootcause.load.tally import EdgeKey, Edges, Requests, ServedKey
from rootcause.load.unseen import Call, Seen, unseen_ns
from rootcause.load.window import REQUEST, STEP_S, Interval, Step, Window

NOTHING_SAID: Mapping[str, Counter[str]] = {}


@dataclass(slots=True)
class _Inside:
    """What was found below one request without leaving its service."""

    names: Counter[str] = field(default_factory=Counter)
    calls: list[Call] = field(default_factory=list)
    failed_here: bool = False

    def call(self, span: Span, callee: str, *, measured: bool) -> None:
        """Notes a call that `span` measured."""
        self.calls.append(Call(span.start_ns, span.end_ns, callee, measured))
        self.names[f"-> {callee}"] += 1

    def busy(self) -> Iterator[tuple[int, int]]:
        """When calls were in flight."""
        return ((call.start_ns, call.end_ns) for call in self.calls)

    def steps(self) -> dict[str, int]:
        """Everything it did and how many times, and in which order it called others."""
        order = [call.callee for call in sorted(self.calls, key=lambda call: (call.start_ns, call.callee))]
        turns = {f"-> {one}, then -> {other}": 1 for one, other in pairwise(order) if one != other}
        return {REQUEST: 1, **self.names, **turns}


class _Steps:
    """What requests did inside, by stretch of time, service and route."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[int, str, str]] = Counter()
        self._often: dict[tuple[int, str, str, str], Counter[int]] = defaultdict(Counter)

    def add(self, part: int, request: Span, inside: _Inside) -> None:
        where = part, request.service, request.name
        self._requests[where] += 1
        for name, times in inside.steps().items():
            self._often[*where, name][times] += 1

    def rows(self) -> tuple[Step, ...]:
        return tuple(
            Step(service, route, name, self._requests[part, service, route], tuple(sorted(often.items())), part=part)
            for (part, service, route, name), often in self._often.items()
        )


class _Forest:
    """Spans by trace, with their children."""

    def __init__(self, spans: Iterable[Span], said: Mapping[str, Counter[str]], callees: Callees) -> None:
        self.said = said
        self.callees = callees
        self.spans = on_one_clock(spans)
        known = {(span.trace, span.id): span for span in self.spans}
        self.services = {span.service for span in self.spans}
        self.children: dict[tuple[str, str], list[Span]] = defaultdict(list)
        self.requests: list[tuple[Span, Span | None]] = []
        for span in self.spans:
            parent = known.get((span.trace, span.parent)) if span.parent else None
            if parent is not None:
                self.children[parent.trace, parent.id].append(span)
            if parent is None or parent.service != span.service or span.kind is Kind.SERVER:
                self.requests.append((span, parent))
        self.lost = lost_of(self.spans, known)
        self._called = {span.service for span, parent in self.requests if parent is not None}

    def below(self, span: Span) -> list[Span]:
        return self.children.get((span.trace, span.id), [])

    def torn(self, span: Span, parent: Span | None) -> bool:
        """Whether it is a part of a request whose own span was lost."""
        inside = span.kind is not Kind.SERVER and span.service in self.lost.inside
        return inside and bool(span.parent) and parent is None

    def enters(self, span: Span, parent: Span | None) -> bool:
        """Whether the request comes from outside. A parent that nobody recorded is a caller that sends no spans, or a
        span that was lost; it was lost where others are seen to call the service."""
        return parent is None and (not span.parent or span.service not in self._called)


def window_of(
    spans: Iterable[Span],
    intervals: Sequence[Interval],
    said: Mapping[str, Counter[str]] = NOTHING_SAID,
    step_s: float = STEP_S,
    callees: Callees = NOTHING_LEARNED,
) -> Window:
    """The requests that start inside the intervals, as a window; spans around them only tell who called them.

    `said` holds, by span id, how often which pattern of log lines was written in that span; `callees` tell whom a
    call was for that nobody received.
    """
    forest = _Forest(spans, said, callees)
    requests, edges, steps = Requests(step_s), Edges(step_s), _Steps()
    walked: list[tuple[int, Span, Span | None, _Inside]] = []
    for span, parent in forest.requests:
        part = next((at for at, interval in enumerate(intervals) if span.start_ns / 1e9 in interval), None)
        if part is None:
            continue
        inside = _walk(forest, span, edges)
        if not forest.torn(span, parent):
            walked.append((part, span, parent, inside))
    unseen = unseen_ns([Seen(span, inside.calls) for _, span, _, inside in walked], forest.lost, step_s)
    for (part, span, parent, inside), hidden_ns in zip(walked, unseen, strict=True):
        own_ns = span.duration_ns - covered_ns(inside.busy(), span) - hidden_ns
        key = ServedKey(span.service, span.version, span.instance, span.name, forest.enters(span, parent))
        requests.add(key, span, own_ns / 1e6, inside.failed_here)
        steps.add(part, span, inside)
    return Window(tuple(intervals), requests.rows(), edges.rows(), steps.rows(), captured=forest.lost.captured())


@dataclass(frozen=True, slots=True)
class Received:
    """One request of a service: its span and its caller's, its own time, whether it failed with no failed call
    beneath."""

    span: Span
    caller: Span | None
    own_ns: int
    failed_here: bool


def received(spans: Iterable[Span]) -> Iterator[Received]:
    """Every request of these spans by itself."""
    forest, edges = _Forest(spans, NOTHING_SAID, NOTHING_LEARNED), Edges(STEP_S)
    for span, parent in forest.requests:
        inside = _walk(forest, span, edges)
        yield Received(span, parent, span.duration_ns - covered_ns(inside.busy(), span), inside.failed_here)


def _walk(forest: _Forest, request: Span, edges: Edges) -> _Inside:
    """What `request` did inside its service and whom it called; calls go into `edges` on the way."""
    inside = _Inside()
    local: list[tuple[Span, Span | None]] = [(request, None)]
    failed: set[str] = set()
    for span, _ in local:
        inside.names.update(forest.said.get(span.id, ()))
        inside.names.update(happened(event) for event in span.events)
        remote = []
        for child in forest.below(span):
            if child.service != span.service or child.kind is Kind.SERVER:
                remote.append(child)
            else:
                local.append((child, span))
                inside.names[child.name] += 1
        for child in remote:
            _call(span, child, inside, edges, failed)
        callee = "" if remote else _unanswered(forest, span)
        if callee:
            _leave(span, callee, inside, edges, failed)
    for span, up in reversed(local):
        if span.failed and span.id not in failed:
            inside.failed_here = True
            failed.add(span.id)
        if up is not None and span.id in failed:
            failed.add(up.id)
    return inside


def _unanswered(forest: _Forest, span: Span) -> str:
    """Whom `span` calls without a span of theirs: something that sends none (a database, a third party), or that did
    not get this call. Empty when it is no call, or the other side's span is just missing here."""
    if (
        span.kind is Kind.CLIENT
        and span.peer
        and span.peer not in forest.services
        and calling(span) not in forest.callees
    ):
        return span.peer
    return forest.callees.get(calling(span), "")


def _call(span: Span, child: Span, inside: _Inside, edges: Edges, failed: set[str]) -> None:
    """A call that reached another service; only a client span says how long the caller waited."""
    measured = span.kind is Kind.CLIENT
    outer = span if measured else child
    inside.call(outer, child.service, measured=measured)
    edge = EdgeKey(span.service, child.service, span.instance, child.version, child.instance)
    if child.failed or (measured and span.failed):
        failed.add(span.id)
    if measured:
        edges.add(True, edge, span, span.id in failed)
    edges.add(False, edge, child, child.failed)


def _leave(span: Span, callee: str, inside: _Inside, edges: Edges, failed: set[str]) -> None:
    """A call without a span of the other end."""
    inside.call(span, callee, measured=True)
    if span.failed:
        failed.add(span.id)
    edges.add(True, EdgeKey(span.service, callee, span.instance, "", ""), span, span.failed)


def covered_ns(busy: Iterable[tuple[int, int]], request: Span) -> int:
    """Nanoseconds of the request in which at least one call was in flight (the union, for calls may overlap)."""
    covered, upto = 0, request.start_ns
    for start, end in sorted(busy):
        since, until = max(start, upto), min(end, request.end_ns)
        if until > since:
            covered += until - since
            upto = until
    return covered
