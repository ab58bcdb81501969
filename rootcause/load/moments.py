"""Turns spans into good and bad requests of one service, to find the one with which its trouble began.

In: spans of normal time, and around the beginning of the trouble. Out: moments, for the onset. The store's own reader
of moments (read_moments) wants what the mesh writes into its spans; this one wants nothing but OpenTelemetry's fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rootcause.load.from_spans import Received, received
from rootcause.load.spans import Kind, Span

NEARLY_ALL = 0.95
FEWEST = 20
"""Of fewer normal requests nobody knows what nearly all of them take."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A request that began `at` (Unix seconds), and whether it failed, or took longer than nearly all usually do."""

    at: float
    bad: bool


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
    seen = list(_requests(around, wanted))
    if wanted.by_errors:
        return [Moment(at, failed) for at, failed, _ in seen]
    usual = sorted(took for _, _, took in _requests(normal, wanted))
    if len(usual) < FEWEST:
        return []
    limit = usual[int(NEARLY_ALL * (len(usual) - 1))]
    return [Moment(at, took > limit) for at, _, took in seen]


def _requests(spans: Iterable[Span], wanted: Wanted) -> Iterator[tuple[float, bool, int]]:
    """When each began (Unix seconds), whether it failed, and the nanoseconds that are in question."""
    for one in received(spans):
        if one.span.service != wanted.service or wanted.instance not in ("", one.span.instance):
            continue
        called = one.caller
        if not wanted.by_callers:
            yield one.span.start_ns / 1e9, one.span.failed or one.failed_here, one.own_ns
        elif called is not None and called.kind is Kind.CLIENT:
            yield called.start_ns / 1e9, called.failed, _lost(one, called)


def _lost(one: Received, called: Span) -> int:
    """Between both ends."""
    return called.duration_ns - one.span.duration_ns
