"""The engine on one small generated system: a part of what `python -m tests.rootcause.proving` tries on many."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rootcause.load.spans import Kind
from tests.rootcause.proving.benign import BENIGN
from tests.rootcause.proving.broken import FAULTS
from tests.rootcause.proving.build import build
from tests.rootcause.proving.faults import Effects
from tests.rootcause.proving.judged import START, Ground
from tests.rootcause.proving.system import System
from tests.rootcause.proving.traffic import Traffic
from tests.rootcause.proving.trials import Draw, Trial, trials

SMALL = 1012
"""Six services."""
FEW_CALLS = {
    "a call is left out",
    "a bad rollout",
    "a slow database or third party",
    "two at once",
    "latency of a service",
    "calls in a loop (N+1)",
}
"""Kinds that this system, asked once a second, shows in too few calls to be sure of."""
SYSTEMS = [build(seed) for seed in range(200)]


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground(build(SMALL))


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__.strip("_"))
def test_the_culprit_comes_first(ground: Ground, kind: Callable[[Draw], Trial | None]) -> None:
    for trial in trials(ground.draw, [kind]):
        for result in ground.results(trial, ("both",)):
            assert result.first or trial.kind in FEW_CALLS, (str(trial), result.ranked[: result.blamed])
            assert result.accused == ()


@pytest.mark.parametrize("kind", BENIGN, ids=lambda kind: kind.__name__.strip("_"))
def test_nobody_is_blamed_for_what_is_benign(ground: Ground, kind: Callable[[Draw], Trial | None]) -> None:
    for trial in trials(ground.draw, [kind]):
        assert {result.accused for result in ground.results(trial)} == {()}


def test_systems_are_of_all_shapes() -> None:
    sizes = [len(system.services) for system in SYSTEMS]
    assert min(sizes) <= 8
    assert max(sizes) >= 50
    assert max(_depth(system) for system in SYSTEMS) >= 8
    assert max(len(stage) for system in SYSTEMS for stage in _stages(system)) >= 4
    calls = [call for system in SYSTEMS for _, call in system.links()]
    assert any(call.queued and call.linked for call in calls)
    assert any(call.cached for call in calls)
    assert any(call.breaker and call.retries for call in calls)


def test_the_same_seed_brings_the_same_requests() -> None:
    first, again = (Traffic(build(SMALL), 1, Effects((), START)).run(START, 20) for _ in range(2))
    assert first == again
    assert {span.kind for span in first} == {Kind.SERVER, Kind.CLIENT}


def _stages(system: System) -> list[tuple[object, ...]]:
    return [
        stage
        for service in system.services.values()
        for route in service.routes.values()
        for way in route.ways
        for stage in way
    ]


def _depth(system: System) -> int:
    """Services in the longest chain of calls."""
    below: dict[str, int] = {}
    for name in reversed(_order(system)):
        callees = {call.to for route in system.services[name].routes.values() for call in route.calls()}
        below[name] = 1 + max((below.get(callee, 0) for callee in callees), default=0)
    return max(below.values())


def _order(system: System) -> list[str]:
    """Callers before whom they call."""
    order: list[str] = []
    queue = [entry.service for entry in system.entries]
    while queue:
        name = queue.pop()
        if name in order:
            order.remove(name)
        order.append(name)
        for route in system.services[name].routes.values():
            queue += [call.to for call in route.calls() if call.to in system.services]
    return order
