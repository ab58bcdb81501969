"""An hour of healthy traffic whose load swings as in the course of a day: nobody is blamed, no incident opens."""

from __future__ import annotations

from math import sin, tau

from rootcause.judge.diagnose import diagnose
from rootcause.load.from_spans import window_of
from rootcause.load.horizon import horizon
from rootcause.load.spans import Span
from tests.world.mesh_sim import Shop

START = 1_700_000_000
HOUR_S = 3600
EVERY_S = 30
NORMAL_MINUTES = 3
USUAL_RATE = 1.5


def test_nobody_is_blamed_in_a_healthy_hour_of_varying_load() -> None:
    minutes = [_minute(minute) for minute in range(HOUR_S // 60)]
    blamed, judged = {}, 0
    for now in range(START + 60 * NORMAL_MINUTES, START + HOUR_S, EVERY_S):
        at = (now - START) // 60
        spans = [span for minute in minutes[at - NORMAL_MINUTES : at + 1] for span in minute if span.end_ns / 1e9 < now]
        looked_at = horizon(float(now))
        verdict = diagnose(window_of(spans, looked_at.normal), window_of(spans, [looked_at.question]))
        judged += verdict.state != "not_enough_data"
        if verdict.blamed:
            blamed[now - START] = verdict.suspects[: verdict.blamed]
    assert judged > 100
    assert blamed == {}


def _minute(minute: int) -> list[Span]:
    """The spans of one minute; the load is between two thirds and four thirds of the usual, and back, in 20 minutes."""
    rate = USUAL_RATE * (1 + sin(tau * minute / 20) / 3)
    return [one.span for one in Shop(900 + minute, rate=rate).run(START + 60 * minute, 60)]
