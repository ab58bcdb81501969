"""The root-cause engine by itself, for as long as some evaluations take: `evaluating URL NOW TURNS`.

In: a store, the time (Unix seconds) of the first evaluation; each is ten seconds after the one before, as live, but
nothing is waited for. Out: a line of JSON: seconds of each, CPU seconds, the most resident memory in megabytes.
"""

from __future__ import annotations

import json
import os
import sys
import time

from collector.store.client import Reader
from rootcause.incidents.casebook import Casebook
from rootcause.incidents.journal import Journal
from rootcause.watch import Watch
from tests.bench.measure import peak_mb

EVERY_S = 10


def evaluate(url: str, now: float, turns: int) -> dict[str, object]:
    """What `turns` evaluations cost of a healthy mesh."""
    seconds = []
    with Reader(url) as reader, Reader(url) as writing:
        watch = Watch(reader, Casebook(Journal(writing)))
        cpu = time.process_time()
        for turn in range(turns):
            begun = time.perf_counter()
            answer, _ = watch.evaluate(now + turn * EVERY_S)
            seconds.append(time.perf_counter() - begun)
            assert answer.state == "nothing_wrong", answer
        return {"seconds": seconds, "cpu_s": time.process_time() - cpu, "peak_mb": peak_mb(os.getpid())}


if __name__ == "__main__":
    print(json.dumps(evaluate(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))))
