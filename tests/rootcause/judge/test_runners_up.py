"""Whom to look at next: those who stray without being to blame come after everybody who is blamed."""

from __future__ import annotations

from rootcause.attribute.own_errors import ErrorShift
from rootcause.attribute.steps import StepShift
from rootcause.detect.baseline import Shift
from rootcause.explain.wording import against
from rootcause.judge.evidence import Evidence
from rootcause.judge.runners_up import runners_up
from rootcause.judge.suspect import Suspect

FAILS = ErrorShift(0.0, 0.2, 50, 10.0, -9.0)
CHANGED = StepShift("travel", "/trips", "-> seat", 1.0, 0.5, 20.0, -16.0)
SLOWER = Shift(10.0, 14.0, 50, 200.0, 4.0)
CALM = Shift(10.0, 10.2, 50, 10.0, 0.2)
EVIDENCE = Evidence(
    {"food": SLOWER, "cart": CALM, "basic": SLOWER}, {"order": FAILS, "basic": FAILS}, {}, {"travel": CHANGED}, {}
)


def test_whom_chance_explains_least_is_next() -> None:
    found = runners_up(EVIDENCE, [Suspect("basic", error_part=0.3)])
    assert [suspect.service for suspect in found] == ["travel", "order", "food"]
    assert {suspect.score for suspect in found} == {0}


def test_what_they_stray_by_is_told() -> None:
    told = {suspect.service: against(suspect) for suspect in runners_up(EVIDENCE, [])}
    assert told["order"] == "fails 20 % of its requests by its own doing, usually 0 %"
    assert told["food"] == "own time 10 ms -> 14 ms a request"
    assert "cart" not in told
