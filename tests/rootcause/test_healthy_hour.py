"""No incident opens in an hour of healthy traffic: swinging load, a quiet night, rare errors, a deploy, scaling."""

from __future__ import annotations

from tests.rootcause.healthy import hour


def test_nobody_is_blamed_in_a_healthy_hour() -> None:
    assert [(opened.service, opened.at) for opened in hour(9, every_s=60.0)] == []
