"""Ways in which spans arrive that are not all of them, once and in time.

In: all spans of a stretch of time. Out: those in hand at its end. Every way chooses by ids, so that it is the same one
whenever it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zlib import crc32

from rootcause.load.spans import Span

KEPT = 0.1
KEPT_OF_THE_REST = 0.05
BATCH_S, LATE_S = 5.0, 30.0


@dataclass(frozen=True)
class Known:
    """What whoever chooses knows: from how many ns on a request is slow, and when (Unix seconds) somebody looks."""

    slow_ns: float
    looks_at: float


@dataclass(frozen=True)
class Way:
    """`times` as many requests are needed to have as many of them in hand as otherwise."""

    choose: Callable[[Sequence[Span], Known], Sequence[Span]]
    times: int = 1


def _chance(told: str) -> float:
    return crc32(told.encode()) / 2**32


def _head(spans: Sequence[Span], _: Known) -> list[Span]:
    """One trace in ten, chosen when it begins."""
    return [span for span in spans if _chance(span.trace) < KEPT]


def _tail(spans: Sequence[Span], known: Known) -> list[Span]:
    """Traces with a failure, slow ones, and one in twenty of the rest, chosen when they are over."""
    odd = {span.trace for span in spans if span.failed or (not span.parent and span.duration_ns > known.slow_ns)}
    return [span for span in spans if span.trace in odd or _chance(span.trace) < KEPT_OF_THE_REST]


def _twice(spans: Sequence[Span], _: Known) -> list[Span]:
    """Half of them are sent again, for the answer was lost."""
    return [*spans, *(span for span in spans if _chance(span.id) < 0.5)]


def _late(spans: Sequence[Span], known: Known) -> list[Span]:
    """Each instance sends what is over every five seconds, one in fifty half a minute later."""
    return [span for span in spans if _sent_at(span) <= known.looks_at]


def _sent_at(span: Span) -> float:
    phase = BATCH_S * _chance(span.service + span.instance)
    over = span.end_ns / 1e9
    return over + BATCH_S - (over - phase) % BATCH_S + (LATE_S if _chance(f"late {span.id}") < 0.02 else 0.0)


def _lost(spans: Sequence[Span], _: Known) -> list[Span]:
    """One in ten never comes; what is below it names a parent that is not there."""
    return [span for span in spans if _chance(f"lost {span.id}") >= 0.1]


WAYS = {
    "head-sampled": Way(_head, 10),
    "tail-sampled": Way(_tail, 8),
    "sent twice": Way(_twice),
    "late": Way(_late),
    "without parents": Way(_lost),
}
