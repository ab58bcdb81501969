"""The engine on one small generated suite of node series: a part of `python -m tests.rootcause.proving --series`."""

from __future__ import annotations

import pytest

from rootcause.accuracy import Score
from tests.rootcause.proving.published import Kind, among, scores, together
from tests.rootcause.proving.suite import systems

SMALL = 3026
"""Eight services asked three times in ten seconds; of latency only quantiles were kept, and a row in twenty is gone."""
CLEAR = ("a failing database or third party", "a slow database or third party", "a service crashed")
"""Kinds that were missed as long as gaps and nodes that are gone were not read as such, or must never be."""


@pytest.fixture(scope="module")
def found() -> dict[Kind, Score]:
    return scores(system for system in systems(SMALL // 1000) if system.seed == SMALL)


def test_the_culprit_comes_first(found: dict[Kind, Score]) -> None:
    faults = together(one for (healthy, _), one in found.items() if not healthy)
    assert len(faults.places) == 8
    assert among(faults, 1) >= 7


@pytest.mark.parametrize("kind", CLEAR)
def test_whoever_clearly_did_it_comes_first(found: dict[Kind, Score], kind: str) -> None:
    assert found[False, kind].places == [1]


def test_nobody_is_blamed_where_nothing_is_wrong(found: dict[Kind, Score]) -> None:
    healthy = together(one for (healthy, _), one in found.items() if healthy)
    assert (healthy.quiet, healthy.blamed) == (6, 0)
