"""Every section of the bench by its name, in the order in which they are run and shown."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.bench import control, cost, endurance, handshakes, idle, recorder, two_hops
from tests.bench.environment import Environment
from tests.bench.load import Load
from tests.bench.results import Findings

Section = Callable[[Environment], Findings]
NAMES = (*cost.COMPARISONS, "handshakes", "two-hops", "idle", "recorder", "growth", "soak", "away", "control")


def sections(load: Load, rounds: int, long: float) -> dict[str, Section]:
    """What each does; `long` is for how many seconds the soak goes on, and the collector is away."""
    compared: dict[str, Section] = {
        key: partial(cost.measure, key, load=load, rounds=rounds) for key in cost.COMPARISONS
    }
    return {
        **compared,
        "handshakes": partial(handshakes.measure, load=load, rounds=rounds),
        "two-hops": partial(two_hops.measure, seconds=load.seconds, rounds=rounds),
        "idle": idle.measure,
        "recorder": recorder.measure,
        "growth": endurance.under_strangers,
        "soak": partial(endurance.soaked, seconds=long),
        "away": partial(endurance.without_collector, seconds=long),
        "control": control.measure,
    }
