"""Windows of the simulated shop: normal time, and the seconds after a fault."""

from __future__ import annotations

from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.from_spans import window_of
from rootcause.load.window import Interval, Window
from tests.world.mesh_sim import Fault, Shop

START = 1_700_000_000.0
FAULT_AT = START + 50
NORMAL = Interval(START, FAULT_AT - 10)
QUESTION = Interval(FAULT_AT, FAULT_AT + 15)


def windows(seed: int, *faults: Fault, rate: float = 15.0) -> tuple[Window, Window]:
    """Normal time and the time in question of one simulated run; faults start between the two."""
    spans = [one.span for one in Shop(seed, rate=rate, faults=faults).run(START, QUESTION.end - START)]
    return window_of(spans, [NORMAL]), window_of(spans, [QUESTION])


def verdict(seed: int, *faults: Fault, rate: float = 15.0) -> Verdict:
    """What the engine says of such a run."""
    return diagnose(*windows(seed, *faults, rate=rate))
