"""The verdict on a generated system is the same however its spans are sampled, sent, delayed and lost, as long as
enough of them are there, and in both times in the same way."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from rootcause.attribute.on_path import with_path
from rootcause.judge.diagnose import diagnose
from rootcause.load.callees import callees_of
from rootcause.load.from_spans import window_of
from rootcause.load.looked import Sample
from rootcause.load.spans import Span
from rootcause.load.window import STEP_S, Interval
from tests.rootcause.proving.benign import BENIGN
from tests.rootcause.proving.broken import FAULTS
from tests.rootcause.proving.build import build
from tests.rootcause.proving.faults import Effects
from tests.rootcause.proving.judged import START, Ground, Result
from tests.rootcause.proving.recorded import WAYS, Known
from tests.rootcause.proving.traffic import Traffic
from tests.rootcause.proving.trials import Draw, Trial, trials

NINE = 1027
"""Nine services, asked twice a second."""
CLEAR = ("slow_link", "lossy_link", "cut_link", "errors", "crash", "slow_leaf", "leak", "surge")
"""Kinds that this system shows clearly, also when a tenth of its spans is lost."""
SLOWS_DOWN = "loaded"
"""As many requests as that do make its busiest services slower."""
SLOW = 0.98


def called(kind: Callable[[Draw], Trial | None]) -> str:
    return kind.__name__.strip("_")


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground(build(NINE))


@cache
def intervals(ground: Ground, times: int) -> tuple[Interval, Interval]:
    """Normal time and the time in question, so many times as long as usual."""
    before = Interval(START, START + times * ground.stretch.normal_s)
    return before, Interval(before.end + STEP_S, before.end + STEP_S + times * ground.stretch.question_s)


@cache
def usual(ground: Ground, times: int) -> list[Span]:
    before, _ = intervals(ground, times)
    return Traffic(ground.system, 0, Effects((), float("inf"))).run(before.start, before.seconds)


def drawn(ground: Ground, kind: Callable[[Draw], Trial | None]) -> Trial:
    """The same one whichever others are drawn."""
    (trial,) = trials(replace(ground.draw, dice=random.Random(called(kind))), [kind])
    return trial


def judged(ground: Ground, way: str, trial: Trial) -> Result:
    times, choose = WAYS[way].times, WAYS[way].choose
    normal, question = intervals(ground, times)
    took = sorted(span.duration_ns for span in usual(ground, times) if not span.parent)
    slow_ns = took[int(SLOW * len(took))]
    traffic = Traffic(ground.system, 1, Effects(trial.effects, question.start))
    before = choose(usual(ground, times), Known(slow_ns, question.end))
    now = choose(traffic.run(question.start, question.seconds), Known(slow_ns, question.end))
    callees = callees_of(before)
    observed = with_path(window_of(now, [question], callees=callees), Sample(tuple(before), tuple(now)))
    return Result(NINE, "spans", trial, diagnose(window_of(before, [normal], callees=callees), observed))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [kind for kind in FAULTS if called(kind) in CLEAR], ids=called)
def test_the_culprit_comes_first(ground: Ground, kind: Callable[[Draw], Trial | None], way: str) -> None:
    trial = drawn(ground, kind)
    result = judged(ground, way, trial)
    assert result.first, (str(trial), result.ranked[: result.blamed])
    assert result.accused == ()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [kind for kind in BENIGN if called(kind) != SLOWS_DOWN], ids=called)
def test_nobody_is_blamed_for_what_is_benign(
    request: pytest.FixtureRequest, ground: Ground, kind: Callable[[Draw], Trial | None], way: str
) -> None:
    if (called(kind), way) == ("mixed", "late"):
        reason = (
            "two of eleven requests lack the span of a call, and what they waited for it seems to be their own time"
        )
        request.applymarker(pytest.mark.xfail(reason=reason))
    assert judged(ground, way, drawn(ground, kind)).accused == ()
