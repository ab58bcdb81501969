"""Which change is mentioned beside a culprit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rootcause.explain.changes import preceding
from rootcause.load.changes import Change

AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


def change(seconds: float, kind: str, service: str = "cart") -> Change:
    return Change(time=AT + timedelta(seconds=seconds), kind=kind, service=service, summary=f"{kind} {seconds}")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([change(0, "rollout"), change(20, "config")], "rollout 0"),
        ([change(0, "config"), change(20, "rollout"), change(30, "config")], "rollout 20"),
        ([change(0, "rollout"), change(400, "config")], "config 400"),
        ([change(0, "rollout", "mail"), change(20, "config")], "config 20"),
        ([change(0, "config", ""), change(20, "rollout", "mail")], "config 0"),
    ],
    ids=["carried by a route", "newest version", "long ago", "another service", "reached everyone"],
)
def test_a_new_version_comes_before_the_route_that_carries_it(changes: list[Change], told: str) -> None:
    found = preceding(changes, "cart")
    assert found is not None
    assert found.summary == told
