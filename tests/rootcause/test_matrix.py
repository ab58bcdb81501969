"""Culprits get an incident, and nobody else, in a part of the matrix of faults; `python -m tests.rootcause.matrix` runs
all of it."""

from __future__ import annotations

import pytest

from tests.rootcause.matrix import Cause, every_cause, run

EVERY_TENTH = [causes for index, causes in enumerate(every_cause()) if index % 10 == 0]


def name(causes: tuple[Cause, ...]) -> str:
    return " + ".join(str(cause) for cause in causes)


def test_the_matrix_has_every_kind_on_every_service_each_link_and_two_at_once() -> None:
    names = [name(causes) for causes in every_cause()]
    assert len(names) == len(set(names)) > 60
    assert {"crash inventory", "link cart inventory", "errors cart + crash shipping"} <= set(names)


@pytest.mark.parametrize("causes", EVERY_TENTH, ids=name)
def test_the_culprits_come_first_and_in_time(causes: tuple[Cause, ...]) -> None:
    ran = run(7, *causes, until=len(causes))
    assert ran.right, [opened.service for opened in ran.opened]
    assert ran.after_s < 30
