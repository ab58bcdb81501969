"""Bars and confidence chosen on one suite are reported on the other."""

from __future__ import annotations

from rootcause.crossvalidate import Judged, JudgedCase, best, crossvalidated, outcome, place
from rootcause.detect.symptom import Symptom
from rootcause.judge.diagnose import Bars, Verdict
from rootcause.judge.suspect import Suspect

SLOW = Symptom("front", "/", "latency", 10.0, 20.0, 0.5, 20.0)


def case(part: float, *names: str) -> JudgedCase:
    """One in which cart adds `part` of all waiting, and is blamed for it."""
    suspect = Suspect("cart", time_part=part)
    return JudgedCase(Verdict("degraded", "", (SLOW,), (suspect,), 1, ranked=(suspect,)), frozenset(names))


NOISY = Judged("noisy", (case(0.3, "cart"), case(0.2, "cart"), case(0.1), case(0.09)))
FAINT = Judged("faint", (case(0.06, "cart"), case(0.3, "cart"), case(0.3, "disk"), case(0.01)))


def test_the_bars_of_one_suite_are_applied_to_the_other() -> None:
    assert best(NOISY.cases) == Bars(0.12, 0.02)
    assert outcome(FAINT.cases, best(NOISY.cases)) == (1, 0)
    text = crossvalidated([NOISY, FAINT])
    assert "| faint | 12%, 2.0% | 1 of 3 | 0 of 1 | 2 and 0 |" in text
    assert "| noisy | 5%, 0.5% | 2 of 2 | 2 of 2 | 2 and 2 |" in text


def test_each_finding_is_in_one_bin_of_confidence() -> None:
    rows = [line.split("|") for line in crossvalidated([NOISY, FAINT]).splitlines() if " to " in line]
    assert sum(int(row[3]) for row in rows if row[1].strip() == "faint") == len(FAINT.cases)
    assert sum(int(row[5]) for row in rows if row[1].strip() == "faint") == 2


def test_any_alias_is_right_in_any_case_and_repeats_take_no_place() -> None:
    assert place(["cart", "cart", "PAY"], {"payments", "pay"}) == 2
    assert place(["cart"], {"pay"}) is None
