"""The engine on recordings of one small generated system without spans: a part of what
`python -m tests.rootcause.proving.measured` tries."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rootcause.proving.measured.judged import Result, result
from tests.rootcause.proving.measured.suites import troubles

SMALL = 1002
UNSEEN = {
    "columns": {"swallowed", "early return", "delay"},
    "minutes": {"delay", "loss", "early return", "killed"},
    "graph": {"swallowed", "early return"},
}
"""What these makes do not show of this system, or not clearly enough."""


@pytest.fixture(scope="module", params=["minutes", "graph"])
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    folder: Path = tmp_path_factory.mktemp("measured")
    make: str = request.param
    return [
        result(folder / make, make, made, wrong, f"{make}-{SMALL}-{at}")
        for at, (made, wrong) in enumerate(troubles(SMALL))
    ]


def test_whoever_did_it_is_first_where_it_shows(judged: list[Result]) -> None:
    shown = [one for one in judged if not one.wrong.quiet and one.wrong.kind not in UNSEEN[one.make]]
    assert len(shown) >= 8
    assert [str(one) for one in shown if not one.first] == []


def test_hardly_anybody_is_blamed_in_quiet_times(judged: list[Result]) -> None:
    quiet = [one for one in judged if one.wrong.quiet]
    assert len(quiet) == 4
    assert sum(bool(one.ranked) for one in quiet) <= 1


def test_somebody_else_is_hardly_ever_first(judged: list[Result]) -> None:
    assert sum(bool(one.ranked) and not one.first for one in judged if not one.wrong.quiet) <= 2
