"""How long certificates are good for, in words."""

from __future__ import annotations

import pytest

from dashboards.certificate_sheet import span, standing

HOUR = 3600.0
ISSUED = 1_795_000_000.0


def of(hours: float) -> tuple[str, str, str]:
    """What is said of a certificate of a day, so long after it was issued."""
    told = standing(ISSUED, ISSUED + 24 * HOUR, ISSUED + hours * HOUR)
    return told.left, told.then.partition(" ")[0], told.colour


def test_a_certificate_is_fresh_then_late_then_over() -> None:
    assert of(1) == ("23 h left", "renewed", "green")
    assert of(17.9) == ("6 h left", "renewed", "green")
    assert of(18.1) == ("6 h left", "late:", "orange")
    assert of(23.99) == ("36 s left", "late:", "orange")
    assert of(24) == ("ended 0 s ago", "connections", "red")
    assert standing(ISSUED, None, ISSUED).colour == "gray"


def test_the_time_of_renewal_is_two_thirds_of_its_life() -> None:
    # 1795000000 is 2026-11-18 11:06:40 UTC
    assert standing(ISSUED, ISSUED + 24 * HOUR, ISSUED).then == "renewed by itself at about 11-19 03:06 UTC"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (119, "119 s"), (600, "10 min"), (82_800, "23 h"), (864_000, "10 days")]
)
def test_spans_are_short(seconds: float, said: str) -> None:
    assert span(seconds) == said
