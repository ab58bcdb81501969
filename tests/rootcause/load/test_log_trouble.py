"""Log lines that name no span: trouble that is new, more of it, and what services say when all is well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.log_patterns import Log
from rootcause.load.log_trouble import tells_of_trouble, trouble_told
from rootcause.load.window import OF_TIME, Interval
from tests.rootcause.windows import START, windows

NORMAL, QUESTION = Interval(START, START + 400), Interval(START + 500, START + 620)
RESET = "read tcp 10.0.0.1:{n}: connection reset by peer"


def lines(within: Interval, every_s: float, body: str, severity: str = "", service: str = "cart") -> list[Log]:
    many = int(within.seconds / every_s)
    return [Log(within.start + n * every_s, service, severity, "", body.format(n=n)) for n in range(many)]


def verdict(before: list[Log], now: list[Log]) -> Verdict:
    """Nothing but what is said differs."""
    baseline, observed = windows(3)
    usual, since = trouble_told((before, [NORMAL]), (now, [QUESTION]))
    return diagnose(
        replace(baseline, steps=(*baseline.steps, *usual)), replace(observed, steps=(*observed.steps, *since))
    )


@pytest.mark.parametrize(
    ("severity", "body", "trouble"),
    [
        ("ERROR", "no stock", True),
        ("warning", "slow", True),
        ("", "java.lang.NullPointerException at Cart", True),
        ("INFO", "rpc error: code = Unavailable", True),
        ("INFO", "charged in 3 ms", False),
        ("", "terror films found: 3", False),
    ],
)
def test_severity_or_words_tell_of_trouble(severity: str, body: str, trouble: bool) -> None:
    assert tells_of_trouble(severity, body) == trouble


def test_trouble_that_is_new_names_whoever_tells_of_it() -> None:
    found = verdict(lines(NORMAL, 5, "added {n}"), lines(QUESTION, 5, RESET))
    assert [suspect.service for suspect in found.suspects] == ["cart"]
    steps = found.suspects[0].steps
    assert steps is not None
    assert (steps.route, steps.baseline_share, steps.observed_share) == (OF_TIME, 0.0, 1.0)


def test_much_more_of_it_does_too() -> None:
    found = verdict(lines(NORMAL, 10, RESET), lines(QUESTION, 0.5, RESET))
    assert [suspect.service for suspect in found.suspects] == ["cart"]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (lines(NORMAL, 5, RESET), lines(QUESTION, 5, RESET)),
        (lines(NORMAL, 5, RESET), []),
        ([], lines(QUESTION, 5, "cache filled with {n} items")),
        ([], lines(QUESTION, 60, RESET)),
    ],
    ids=["as ever", "over", "no trouble", "twice in two minutes"],
)
def test_else_nobody_is_blamed(before: list[Log], now: list[Log]) -> None:
    assert verdict(before, now).suspects == ()
