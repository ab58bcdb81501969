"""What two proxies in a row add to the latency of 1000 requests/s: through a pair of ours, through a pair of Envoys.

Added: the median over rounds of a percentile through the pair, less that without any proxy.
"""

from __future__ import annotations

import gc
import os
from statistics import median

from tests.bench.environment import Environment
from tests.bench.load import LOAD_CORE
from tests.bench.open_loop import drive, percentile
from tests.bench.peers import Start, envoy_pair, whymesh_pair
from tests.bench.results import Column, Findings, Table, Target

RATE = 1000.0
_FLOOR_S = 1e-5
"""What is added cannot be told from nothing below this."""
_BARE = "no proxy"
_PAIRS: dict[str, Start] = {"two whymesh, traced": whymesh_pair, "two Envoys, traced": envoy_pair}
_SHOWN = (50.0, 90.0, 99.0, 99.9)


def measure(environment: Environment, seconds: float, rounds: int) -> Findings:
    """What each pair adds, and the ratio of the 99th percentiles."""
    taken: dict[str, list[list[float]]] = {name: [] for name in (_BARE, *_PAIRS)}
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {LOAD_CORE})
    gc.disable()  # a collection of the generator's garbage would be somebody's p99
    try:
        for _ in range(rounds):
            taken[_BARE].append(_percentiles(environment.backend, "", seconds))
            for name, start in _PAIRS.items():
                with start(environment, False) as running:
                    taken[name].append(_percentiles(running.port, running.host, seconds))
    finally:
        gc.enable()
        os.sched_setaffinity(0, before)
    bare, *pairs = ([median(column) for column in zip(*rows, strict=True)] for rows in taken.values())
    added = [[through - without for through, without in zip(pair, bare, strict=True)] for pair in pairs]
    shown = zip((_BARE, *(f"added by {name}" for name in _PAIRS)), (bare, *added), strict=True)
    table = Table(
        title=f"Two hops at {RATE:,.0f} requests/s, milliseconds, median of {rounds} x {seconds:g} s each in turn",
        columns=(Column(head=""), *(Column(head=f"p{one:g}", form=".3f") for one in _SHOWN)),
        rows=tuple((name, *(s * 1e3 for s in row)) for name, row in shown),
    )
    ours, theirs = (max(row[_SHOWN.index(99.0)], _FLOOR_S) for row in added)
    target = Target(what="two hops: added p99, Envoy pair over ours", measured=theirs / ours, target=2, stretch=3)
    return Findings(section="two-hops", tables=(table,), targets=(target,))


def _percentiles(port: int, host: str, seconds: float) -> list[float]:
    latencies = drive(port, host, RATE, seconds)
    return [percentile(latencies, one) for one in _SHOWN]
