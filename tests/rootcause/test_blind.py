"""An answer that is old is none, however well all was."""

from __future__ import annotations

from rootcause.blind import BLIND_AFTER_S, as_of
from rootcause.watch import Answer

WELL = Answer("nothing_wrong", "nothing is wrong: all is as usual")
AWAY = "the store does not answer"
AT = 1_700_000_000.0


def test_a_fresh_answer_holds_though_one_evaluation_failed() -> None:
    assert as_of(WELL, AT, AWAY, AT + BLIND_AFTER_S) is WELL
    assert as_of(WELL, AT, "", AT + 3_600) is WELL, "nothing failed: an evaluation may take its time"


def test_nothing_is_wrong_is_not_said_by_who_sees_nothing() -> None:
    said = as_of(WELL, AT, AWAY, AT + 60)
    assert said.state == "not_enough_data"
    assert said.summary == (
        "nothing is known since 2023-11-14 22:13:20 UTC: the store does not answer."
        " Before: nothing is wrong: all is as usual"
    )
    assert said.blind


def test_before_the_first_answer_the_reason_is_told() -> None:
    assert as_of(None, 0.0, AWAY, AT).summary == f"not enough data yet: {AWAY}"
    assert "has not answered so far" in as_of(None, 0.0, "", AT).summary
