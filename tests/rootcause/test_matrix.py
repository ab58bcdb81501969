"""Culprits come first in a matrix of faults: all kinds on all services, each link, two at once."""

from __future__ import annotations

from tests.rootcause.matrix import matrix


def test_culprits_come_first_in_nineteen_of_twenty_runs() -> None:
    runs = list(matrix())
    wrong = {run.name: run.blamed() for run in runs if not run.right()}
    assert len(runs) > 60
    assert len(wrong) <= len(runs) / 20, wrong
    # Whoever is not found is not mistaken for somebody else: too few requests failed to tell.
    strangers = {name: blamed for name, blamed in wrong.items() if not set(blamed) <= _culprits(name)}
    assert strangers == {}


def _culprits(name: str) -> set[str]:
    return next(run.culprits for run in matrix() if run.name == name)
