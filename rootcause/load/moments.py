"""Turns single requests of one service into good and bad ones, to find the one with which its trouble began, and what
the bad ones have in common.

In: requests of normal time, and around the beginning of the trouble; or the spans of both. Out: moments. The store's
own reader of requests (read_moments) wants what the mesh writes into its spans; `moments_of` wants nothing but
OpenTelemetry's fields.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rootcause.load.from_spans import Received, received
from rootcause.load.spans import Kind, Span

NEARLY_ALL = 0.95
FEWEST = 20
"""Of fewer normal requests nobody knows what nearly all of them take."""


@dataclass(frozen=True, slots=True)
class Request:
    """One that began `at` (Unix seconds), the time of it that is in question, and what it was for. `trace` and `span`
    are its ids in hex."""

    at: float
    failed: bool
    took_ms: float
    name: str
    trace: str = ""
    span: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """A request that began `at` (Unix seconds), and whether it failed, or took longer than nearly all of its kind."""

    at: float
    bad: bool
    took_ms: float = 0.0
    trace: str = ""
    span: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests: of the service (of its one instance, when named), as its callers saw them when its links are at
    fault; bad are those that fail, or those that take long."""

    service: str
    instance: str
    by_errors: bool
    by_callers: bool


def moments_of(normal: Iterable[Span], around: Iterable[Span], wanted: Wanted) -> list[Moment]:
    """Moments of `around`; what takes longer than nearly all of `normal` is bad."""
    return judged(list(_requests(around, wanted)), _requests(normal, wanted), by_errors=wanted.by_errors)


def judged(asked: Sequence[Request], normal: Iterable[Request], *, by_errors: bool) -> list[Moment]:
    """Who fails is bad, or else who takes longer than nearly all of `normal` by the same name, or by any name where too
    few have it; none when there are too few altogether."""
    if by_errors:
        return [Moment(one.at, one.failed, one.took_ms, one.trace, one.span) for one in asked]
    times = defaultdict(list)
    for one in normal:
        times[one.name].append(one.took_ms)
    every = [took for named in times.values() for took in named]
    if len(every) < FEWEST:
        return []
    limits = {name: _nearly_all(named) for name, named in times.items() if len(named) >= FEWEST}
    of_any = _nearly_all(every)
    return [
        Moment(one.at, one.took_ms > limits.get(one.name, of_any), one.took_ms, one.trace, one.span) for one in asked
    ]


def _nearly_all(times: list[float]) -> float:
    return sorted(times)[int(NEARLY_ALL * (len(times) - 1))]


def _requests(spans: Iterable[Span], wanted: Wanted) -> Iterator[Request]:
    """Their time is the service's own, or what is lost between both ends."""
    for one in received(spans):
        span, called = one.span, one.caller
        if span.service != wanted.service or wanted.instance not in ("", span.instance):
            continue
        if not wanted.by_callers:
            failed = span.failed or one.failed_here
            yield Request(span.start_ns / 1e9, failed, one.own_ns / 1e6, span.name, span.trace, span.id)
        elif called is not None and called.kind is Kind.CLIENT:
            lost_ms = _lost_ns(one, called) / 1e6
            yield Request(called.start_ns / 1e9, called.failed, lost_ms, called.name, called.trace, called.id)


def _lost_ns(one: Received, called: Span) -> int:
    return called.duration_ns - one.span.duration_ns
