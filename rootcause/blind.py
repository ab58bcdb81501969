"""What still holds of the last answer when nothing can be looked at any more: an old "nothing is wrong" is no answer.

In: the last answer, when it was given, why there is none since, the time. Out: what to say now. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from rootcause.watch import Answer

BLIND_AFTER_S = 20.0
"""So long an answer holds: as long as the time in question, which it is about."""


def as_of(answer: Answer | None, at: float, failure: str, now: float) -> Answer:
    """The answer, as far as it is one: `at` is when it was given, `failure` why there was none since, empty when
    nothing failed."""
    if answer is None:
        because = failure or "the store has not answered so far"
        return Answer("not_enough_data", f"not enough data yet: {because}", blind=failure)
    if not failure or now - at <= BLIND_AFTER_S:
        return answer
    blind = f"nothing is known since {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC: {failure}"
    if answer.finding is None:
        return replace(answer, state="not_enough_data", summary=f"{blind}. Before: {answer.summary}", blind=blind)
    return replace(answer, summary=f"{blind}. Before: {answer.summary}", blind=blind)
