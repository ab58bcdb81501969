"""Every kind of fault on every service and link of the simulated shop, and two at once, each watched as live.

In: seeds. Out: for each run which incidents opened and how long after the fault. `python -m tests.rootcause.matrix`
prints the table, and the runs that are not perfect; seeds after it take other traffic, `--all` shows each run.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from deploy.demo.topology import SHOPS
from rootcause.explain.headline import culprit_of
from tests.rootcause.shift import MANY, Opened, Recording, watch
from tests.world.mesh_sim import Fault, Shop

START = 1_700_000_000.0
NORMAL_S, PATIENCE_S = 60.0, 60.0
RATE = 15.0
KINDS = {"latency": 80.0, "errors": 0.3, "cpu": 20.0, "crash": 0.0}
LINK_MS = 60.0
PAIRS = (("latency", "errors"), ("cpu", "latency"), ("errors", "crash"))
FAR_APART = (("catalog", "payments"), ("cart", "shipping"), ("recommendations", "payments"), ("shipping", "catalog"))
SEEDS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Cause:
    """A fault before its time is known."""

    kind: str
    service: str
    value: float
    version: str = ""
    instance: str = ""
    source: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.source, self.service, self.version, self.instance)))

    def at(self, start: float) -> Fault:
        """The fault, from `start` on."""
        return Fault(self.kind, self.service, self.value, start, self.version, self.instance, self.source)

    def told_by(self, opened: Opened) -> bool:
        """Whether the incident names the part that is broken: link, version or instance where it is only that."""
        culprit = culprit_of(opened.verdict)
        link = f"{self.source} -> {self.service}" if self.source else ""
        only_one = self.version and not self.instance  # each version of the shop runs as one instance
        instance = culprit.instance if only_one else self.instance
        return (culprit.link, culprit.version, culprit.instance) == (link, self.version, instance)


@dataclass(frozen=True)
class Run:
    """What one run led to: the incidents that opened in the minute after the fault, and when."""

    causes: tuple[Cause, ...]
    fault_at: float
    opened: tuple[Opened, ...]

    def __str__(self) -> str:
        return " + ".join(str(cause) for cause in self.causes)

    @property
    def right(self) -> bool:
        """Whether every culprit has an incident, and nobody else had one before."""
        services = {cause.service for cause in self.causes}
        return {opened.service for opened in self.opened[: len(services)]} == services

    @property
    def after_s(self) -> float:
        """From the fault to the first incident."""
        return self.opened[0].at - self.fault_at

    @property
    def narrowed(self) -> bool:
        """Whether each incident names the very part."""
        told = {opened.service: opened for opened in self.opened}
        return all(cause.service in told and cause.told_by(told[cause.service]) for cause in self.causes)

    @property
    def perfect(self) -> bool:
        """Whether there is nothing to say against it."""
        return self.right and self.narrowed and not self.strangers

    @property
    def strangers(self) -> list[str]:
        """Who is accused without being broken."""
        return [opened.service for opened in self.opened if opened.service not in {c.service for c in self.causes}]


def matrix(seed: int) -> Iterator[Run]:
    """All runs, with traffic of this seed."""
    for index, causes in enumerate(every_cause()):
        yield run(1000 * seed + index, *causes)


def every_cause() -> list[tuple[Cause, ...]]:
    """What breaks in each run."""
    return [*_alone(), *_at_once()]


def run(seed: int, *causes: Cause, until: int = MANY) -> Run:
    """One run: the fault begins somewhere in a bucket, and the engine looks at any moment of its five seconds. It ends
    a minute later, or after so many incidents."""
    dice = random.Random(seed)
    fault_at = START + NORMAL_S + dice.uniform(0, 10)
    shop = Shop(seed, rate=RATE, faults=tuple(cause.at(fault_at) for cause in causes))
    recording = Recording(one.span for one in shop.run(START, NORMAL_S + PATIENCE_S + 15))
    return Run(causes, fault_at, tuple(watch(recording, fault_at - dice.uniform(0, 5), PATIENCE_S, until)))


def _alone() -> Iterator[tuple[Cause, ...]]:
    for shop in SHOPS:
        for kind, value in KINDS.items():
            yield (Cause(kind, shop.name, value),)
    for source, destination in sorted(_links()):
        yield (Cause("link", destination, LINK_MS, source=source),)
    for version in ("v1", "v2"):
        yield (Cause("version", "recommendations", 80.0, version=version),)
    for instance in ("payments-1", "payments-2"):
        for kind in ("latency", "crash"):
            yield (Cause(kind, "payments", KINDS[kind], instance=instance),)


def _at_once() -> Iterator[tuple[Cause, ...]]:
    for (one, other), (first, second) in ((kinds, services) for kinds in PAIRS for services in FAR_APART):
        yield Cause(one, first, KINDS[one]), Cause(other, second, KINDS[other])


def _links() -> set[tuple[str, str]]:
    return {
        (shop.name, call.service) for shop in SHOPS for route in shop.routes for stage in route.stages for call in stage
    }


def _told(run: Run) -> str:
    opened = ", ".join(f"{_name(one)} after {one.at - run.fault_at:.0f} s" for one in run.opened)
    return f"{'right' if run.right else 'WRONG'}  {run!s:45}  {opened}"


def _name(opened: Opened) -> str:
    found = culprit_of(opened.verdict)
    return found.link or " ".join(filter(None, (found.service, found.version, found.instance, found.route)))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, default=SEEDS)
    parser.add_argument("--all", action="store_true", help="show each run, not only those that are not perfect")
    asked = parser.parse_args()
    print(
        "| seed | runs | right | nobody else accused | the very part named | seconds to the incident: median | most |"
    )
    print("|---|---|---|---|---|---|---|")
    shown: list[str] = []
    for seed in asked.seeds:
        runs = list(matrix(seed))
        after = [run.after_s for run in runs if run.right]
        counts = (sum(r.right for r in runs), sum(not r.strangers for r in runs), sum(r.narrowed for r in runs))
        cells = (seed, len(runs), *counts, f"{median(after):.0f}", f"{max(after):.0f}")
        print("|", " | ".join(str(cell) for cell in cells), "|", flush=True)
        shown += [
            f"{seed}: {_told(run)}" for run in runs if asked.all or run.strangers or not run.right or not run.narrowed
        ]
    print(*shown, sep="\n")


if __name__ == "__main__":
    main()
