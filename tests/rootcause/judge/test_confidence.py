"""A confidence that comes true as often as it says."""

from __future__ import annotations

import random

import pytest

from rootcause.judge.confidence import Calibration, fit


def test_without_cases_a_raw_confidence_stands_as_it_is() -> None:
    assert [fit([]).of(raw) for raw in (0.1, 0.5, 0.9)] == pytest.approx([0.1, 0.5, 0.9])


def test_claims_that_came_true_less_often_are_taken_back() -> None:
    draw = random.Random(5)
    cases = [(raw, draw.random() < 0.5 + 0.3 * raw) for raw in (draw.uniform(0.1, 0.95) for _ in range(2000))]
    fitted = fit(cases)
    for raw in (0.2, 0.5, 0.9):
        assert fitted.of(raw) == pytest.approx(0.5 + 0.3 * raw, abs=0.05)


def test_no_confidence_is_beyond_doubt() -> None:
    assert 0 < Calibration(0.0, 1.0).of(0.0) < Calibration(0.0, 1.0).of(1.0) < 1
