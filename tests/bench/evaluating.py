"""The root-cause engine in a process of its own, for as long as some evaluations take: `evaluating URL NOW TURNS`.

In: a store, the time (Unix seconds) of the first evaluation; each is five seconds after the one before, as live, but
nothing is waited for. Out: a line of JSON: what each said and took, CPU seconds, the most resident memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from collector.store.client import Reader
from rootcause.incidents.casebook import Casebook
from rootcause.incidents.journal import Journal
from rootcause.watch import Watch
from tests.bench.measure import peak_mb

EVERY_S = 5


@dataclass(frozen=True)
class Told:
    """Of each evaluation its state, the culprit of the incident that is open then, and seconds; of all together the
    engine's CPU seconds and its most resident memory in megabytes."""

    states: list[str]
    culprits: list[str]
    seconds: list[float]
    cpu_s: float
    peak_mb: float


def evaluated(url: str, now: float, turns: int) -> Told:
    """What `turns` evaluations said and cost, of an engine that has just begun."""
    command = [sys.executable, "-m", "tests.bench.evaluating", url, str(now), str(turns)]
    return Told(**json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def _evaluate(url: str, now: float, turns: int) -> Told:
    states, culprits, seconds = [], [], []
    with Reader(url) as reader, Reader(url) as writing:
        watch = Watch(reader, Casebook(Journal(writing)))
        cpu = time.process_time()
        for turn in range(turns):
            begun = time.perf_counter()
            answer, _ = watch.evaluate(now + turn * EVERY_S)
            seconds.append(time.perf_counter() - begun)
            states.append(answer.state)
            culprits.append(answer.finding.culprit.service if answer.finding else "")
        return Told(states, culprits, seconds, time.process_time() - cpu, peak_mb(os.getpid()))


if __name__ == "__main__":
    print(json.dumps(asdict(_evaluate(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))))
