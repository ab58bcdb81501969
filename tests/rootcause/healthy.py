"""An hour of healthy traffic of the simulated shop in which everything happens that happens on a good day.

In: a seed. Out: the incidents that opened: none. `python -m tests.rootcause.healthy` goes through hours of several
seeds, looking every five seconds as live. Load swings from two thirds to four thirds of the usual and back in 20
minutes, ten minutes are as quiet as a night, each service fails one request in a thousand, one is deployed anew without
a change in what it does, one has more instances while load is high.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace
from math import sin, tau

from rootcause.load.spans import Span
from tests.rootcause.shift import EVERY_S, Opened, Recording, watch
from tests.world.mesh_sim import Fault, Shop

START = 1_700_000_000
MINUTES = 60
USUAL_RATE, QUIET_RATE = 1.2, 0.1
NIGHT = range(40, 50)
DEPLOYED_AT = START + 60 * 25
RARELY = 0.001
WARM_UP_S = 120


def hour(seed: int, every_s: float = EVERY_S) -> list[Opened]:
    """The incidents of one healthy hour."""
    recording = Recording(span for minute in range(MINUTES) for span in _minute(seed, minute))
    return watch(recording, START + WARM_UP_S, 60 * MINUTES - WARM_UP_S, every_s=every_s)


def _minute(seed: int, minute: int) -> list[Span]:
    start, swing = START + 60 * minute, sin(tau * minute / 20)
    rate = QUIET_RATE if minute in NIGHT else USUAL_RATE * (1 + swing / 3)
    shop = Shop(MINUTES * seed + minute, rate=rate, faults=(Fault("errors", "", RARELY, START),))
    dice = random.Random(minute)
    return [_today(one.span, dice, busy=swing > 0) for one in shop.run(start, 60)]


def _today(span: Span, dice: random.Random, *, busy: bool) -> Span:
    """Who served it, as deployed and scaled at that time."""
    if span.service == "cart" and span.start_ns / 1e9 >= DEPLOYED_AT:
        return replace(span, version="v2", instance="cart-2")
    if span.service == "catalog" and busy:
        return replace(span, instance=f"catalog-{dice.randint(1, 3)}")
    return span


def main() -> None:
    """Prints what opened in each hour."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, default=(1, 2, 3))
    for seed in parser.parse_args().seeds:
        opened = [f"{one.service} at minute {(one.at - START) / 60:.0f}" for one in hour(seed)]
        print(f"hour {seed}: {', '.join(opened) or 'no incident'}", flush=True)


if __name__ == "__main__":
    main()
