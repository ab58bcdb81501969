"""What is thought of instances, and who is left out for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.control.documents import Service
from proxy.control.errors import ConfigRefused
from proxy.control.health.leave_out import verdict
from proxy.control.health.standing import Standing, after
from proxy.control.reading.read import load
from tests.world import meshes


def heard(*answers: str | None, passes: int = 2, fails: int = 3) -> list[str]:
    standing, states = Standing("unknown", 0.0), []
    for now, complaint in enumerate(answers, 1):
        standing = after(standing, complaint, float(now), passes, fails)
        states.append(standing.state)
    return states


def test_the_first_answer_decides_and_later_ones_in_a_row() -> None:
    assert heard("refused", None, None, "late", "late", None, "late", "late", "late") == [
        *("unwell", "unwell", "well", "well", "well", "well", "well", "well", "unwell"),
    ]
    assert heard(None, "late", "late", None, "late", passes=1, fails=2) == ["well", "well", "unwell", "well", "well"]


def test_a_standing_says_since_when_and_why_it_came_to_it() -> None:
    standing = after(Standing("well", 1.0), "refused", 2.0, passes=1, fails=1)
    assert standing == Standing("unwell", 2.0, "refused")
    assert after(standing, "late", 3.0, 1, 1) == standing, "another complaint is no other state"
    assert after(standing, None, 4.0, 1, 1) == Standing("well", 4.0)


def service(instances: int, panic: int = 50) -> Service:
    endpoints = [meshes.endpoint(f"cart-{n}", 18_000 + n) for n in range(instances)]
    return Service.model_validate(meshes.service("cart", *endpoints, health={"tcp": {}, "panic": panic}))


def unwell(*numbers: int) -> dict[str, Standing]:
    return {f"cart-{n}": Standing("unwell", 0.0, f"reason {n}") for n in numbers}


def test_who_is_unwell_is_left_out_until_too_few_are_well() -> None:
    assert verdict([service(4)], unwell(1, 3)).left_out == {"cart-1": "reason 1", "cart-3": "reason 3"}
    panicking = verdict([service(4)], unwell(1, 2, 3))
    assert (panicking.left_out, panicking.panicking) == ({}, {"cart"})
    assert set(verdict([service(4, panic=0)], unwell(0, 1, 2, 3)).left_out) == {f"cart-{n}" for n in range(4)}
    assert verdict([service(1)], unwell(0)).panicking == {"cart"}


def test_without_a_check_nobody_is_left_out() -> None:
    plain = Service.model_validate(meshes.service("cart", meshes.endpoint("cart-1")))
    assert verdict([plain], unwell(1)).left_out == {}


@given(st.integers(1, 12), st.sets(st.integers(0, 11)), st.integers(1, 100))
def test_a_service_is_never_emptied_unless_that_is_wanted(instances: int, numbers: set[int], panic: int) -> None:
    made = verdict([service(instances, panic)], unwell(*numbers))
    assert len(made.left_out) < instances
    concerned = {n for n in numbers if n < instances}
    assert bool(made.left_out) != bool(made.panicking) if concerned else made == verdict([service(instances)], {})


@pytest.mark.parametrize(
    ("health", "complaint"),
    [
        ({}, "spec.health: expected one of http, tcp, grpc and ttl"),
        ({"tcp": {}, "ttl": "30s"}, "spec.health: expected one of http, tcp, grpc and ttl"),
        ({"http": {"path": "healthz"}}, "spec.health.http.path: "),
        ({"http": {"path": "/a b"}}, "spec.health.http.path: "),
        ({"http": {"statuses": [99]}}, "spec.health.http.statuses[0]: "),
        ({"tcp": {}, "interval": "50ms"}, "interval: expected 100ms or more"),
        ({"tcp": {}, "treshold": 3}, "spec.health.treshold: unknown key"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused_by_its_path(
    tmp_path: Path, health: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigRefused) as refused:
        load(meshes.write(tmp_path / "mesh.yaml", meshes.service("cart", meshes.endpoint("cart-1"), health=health)))
    assert complaint in str(refused.value)
