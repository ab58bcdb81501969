"""Every kind of fault on every service and link of the simulated shop, and two at once.

In: nothing. Out: for each run whether the culprits come first. `python -m tests.rootcause.matrix` prints the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.demo.topology import SHOPS
from tests.rootcause.windows import FAULT_AT, verdict
from tests.world.mesh_sim import Fault

KINDS = {"latency": 80.0, "errors": 0.3, "cpu": 20.0, "crash": 0.0}
LINK_MS = 60.0
PAIRS = (("latency", "errors"), ("cpu", "latency"), ("errors", "crash"))
FAR_APART = (("catalog", "payments"), ("cart", "shipping"), ("recommendations", "payments"), ("shipping", "catalog"))


@dataclass(frozen=True)
class Run:
    """One simulated run and who is to be blamed."""

    seed: int
    faults: tuple[Fault, ...]

    @property
    def name(self) -> str:
        return " + ".join(
            " ".join(filter(None, (f.kind, f.source, f.service, f.version, f.instance))) for f in self.faults
        )

    @property
    def culprits(self) -> set[str]:
        return {fault.service for fault in self.faults}

    def blamed(self) -> list[str]:
        """Who is blamed, best first."""
        found = verdict(self.seed, *self.faults)
        return [suspect.service for suspect in found.suspects[: found.blamed]]

    def right(self) -> bool:
        """Whether the culprits come first, before anybody else."""
        return set(self.blamed()[: len(self.culprits)]) == self.culprits


def matrix() -> Iterator[Run]:
    """All runs, each with a seed of its own."""
    for seed, faults in enumerate([*_alone(), *_at_once()], start=100):
        yield Run(seed, faults)


def _alone() -> Iterator[tuple[Fault, ...]]:
    for shop in SHOPS:
        for kind, value in KINDS.items():
            yield (Fault(kind, shop.name, value, FAULT_AT),)
    for source, destination in sorted(_links()):
        yield (Fault("link", destination, LINK_MS, FAULT_AT, source=source),)
    for version in ("v1", "v2"):
        yield (Fault("version", "recommendations", 80.0, FAULT_AT, version=version),)
    for instance in ("payments-1", "payments-2"):
        for kind in ("latency", "crash"):
            yield (Fault(kind, "payments", KINDS[kind], FAULT_AT, instance=instance),)


def _at_once() -> Iterator[tuple[Fault, ...]]:
    for (one, other), (first, second) in ((kinds, services) for kinds in PAIRS for services in FAR_APART):
        yield Fault(one, first, KINDS[one], FAULT_AT), Fault(other, second, KINDS[other], FAULT_AT)


def _links() -> set[tuple[str, str]]:
    return {
        (shop.name, call.service) for shop in SHOPS for route in shop.routes for stage in route.stages for call in stage
    }


def main() -> None:
    """Prints the table."""
    runs = list(matrix())
    right = [run.right() for run in runs]
    for run, good in zip(runs, right, strict=True):
        print(f"{'right' if good else 'WRONG'}  {run.name:50s} {'' if good else run.blamed()}")
    print(f"{sum(right)} of {len(right)} runs: {sum(right) / len(right):.1%}")


if __name__ == "__main__":
    main()
