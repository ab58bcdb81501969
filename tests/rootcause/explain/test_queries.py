"""The SQL beside a statement is about what the statement says."""

from __future__ import annotations

import pytest

from rootcause.attribute.steps import StepShift
from rootcause.explain.queries import RollupQueries, step_sql
from tests.rootcause.windows import windows


@pytest.mark.parametrize(
    ("step", "asked"),
    [
        ("-> seat", "Source = 'travel' AND Destination = 'seat'"),
        ("-> seat (2 times)", "Source = 'travel' AND Destination = 'seat'"),
        ("-> seat, then -> order", "Service = 'travel'"),
        ("render", "Service = 'travel'"),
        ('event "exception Broken"', "LIKE '%exception%Broken%'"),
    ],
)
def test_a_step_is_shown_where_it_is_taken(step: str, asked: str) -> None:
    sql = step_sql(StepShift("travel", "/trips", step, 1.0, 0.5, 20.0, -16.0), RollupQueries(*windows(1)))
    assert asked in sql
