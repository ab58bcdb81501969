"""Several times more than ever of what nobody knows the limit of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rootcause.attribute.surge import surges
from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.amounts import resource_of
from rootcause.load.window import Amount, Interval, Window
from tests.rootcause.windows import windows

NORMAL = (110.0, 120.0, 130.0, 125.0, 118.0, 122.0)
HOUR = (Interval(0.0, 3600.0),)


def window(**services: tuple[float, ...]) -> Window:
    """One sample is told three times."""
    rows = (
        Amount(name, f"{name}-0", "container_memory_rss", values * 3 if len(values) == 1 else values)
        for name, values in services.items()
    )
    return Window(HOUR, amounts=tuple(rows))


BEFORE = window(cart=NORMAL, db=tuple(8 * value for value in NORMAL), mail=NORMAL, log=(0.1, 0.1, 0.2, 0.1, 0.1))


def test_whoever_becomes_a_great_user_is_told_of() -> None:
    found = surges(BEFORE, window(cart=(1500.0, 1900.0, 2100.0), db=(990.0,), mail=(120.0,), log=(0.1,)))
    assert found.keys() == {"cart"}
    assert (found["cart"].instance, found["cart"].baseline, found["cart"].observed) == ("cart-0", 125.0, 1900.0)


@pytest.mark.parametrize(
    "now",
    [
        window(cart=(130.0, 135.0, 1900.0), db=(990.0,), mail=(120.0,), log=(0.1,)),
        window(cart=(120.0,), db=(990.0,), mail=(120.0,), log=(4.0, 4.0, 4.0)),
        window(cart=(500.0,), db=(4000.0,), mail=(480.0,), log=(0.5,)),
        window(cart=(250.0,), db=(990.0,), mail=(120.0,), log=(0.1,)),
    ],
    ids=["a spike", "many times next to nothing", "everybody", "twice as much"],
)
def test_what_is_short_or_small_or_shared_is_left_alone(now: Window) -> None:
    assert surges(BEFORE, now) == {}


@pytest.mark.parametrize(
    ("metric", "resource"),
    [
        ("cpu", "cpu"),
        ("container_cpu_usage_seconds", "cpu"),
        ("k8s.pod.memory.working_set", "memory"),
        ("jvmHeapUsed", "memory"),
        ("diskio", "disk"),
        ("process.open_file_descriptors", "sockets"),
        ("socket", "sockets"),
        ("k8s.container.restarts", "restarts"),
        ("requests_per_second", ""),
        ("k8s.container.cpu_limit", ""),
        ("node_memory_active", ""),
        ("system.cpu.time", ""),
        ("memberships", ""),
    ],
)
def test_the_words_of_a_name_tell_the_resource(metric: str, resource: str) -> None:
    assert resource_of(metric) == resource


def verdict(now: tuple[float, ...]) -> Verdict:
    baseline, observed = windows(3)
    row = Amount("cart", "cart-1", "memory_bytes", NORMAL)
    return diagnose(replace(baseline, amounts=(row,)), replace(observed, amounts=(replace(row, values=now),)))


def test_it_is_the_finding_when_users_feel_nothing_yet() -> None:
    found = verdict((900.0, 950.0, 920.0))
    assert [suspect.service for suspect in found.suspects] == ["cart"]
    assert (found.symptoms[0].signal, found.narrowed.instance) == ("saturation", "cart-1")
    assert verdict((150.0, 140.0, 160.0)).state == "nothing_wrong"
