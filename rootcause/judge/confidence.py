"""How likely it is that the first suspect did it: how far it leads and how surely something changed at all, calibrated
on cases whose answers are known.

Source of the calibration: J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with a prior (a raw
confidence is right as it stands, until cases say otherwise) as some dozens of cases do not settle two numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, log

from rootcause.judge.diagnose import Verdict

MOST_SURE = 0.99
SURE_OF_FULL = 0.5
"""Something full is often harmless, and often the first thing to be seen."""
_LEAST = 0.01
_PRIOR = 1.0
"""Weight of the prior: as many units of log-likelihood for an offset or slope that is off by one, doubled."""
_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Calibration:
    """Turns a raw confidence into one that comes true as often as it says: a line between their log odds."""

    offset: float
    slope: float

    def of(self, raw: float) -> float:
        """The calibrated confidence, 0..1."""
        return _logistic(self.offset + self.slope * _log_odds(raw))


CALIBRATION = Calibration(2.05, 0.135)
"""Fitted on both published suites of docs/accuracy.md: whoever leads by little was right as often as who leads by much,
so that no case is surer than the share of right ones."""


def confidence(verdict: Verdict) -> float:
    """Of the first suspect, calibrated, to three digits."""
    return round(CALIBRATION.of(raw_confidence(verdict)), 3)


def raw_confidence(verdict: Verdict) -> float:
    """How far the first suspect leads all of them, times how surely something changed at all."""
    first = verdict.suspects[0]
    lead = first.score / sum(suspect.score for suspect in verdict.suspects)
    strength = max(symptom.strength for symptom in verdict.symptoms)
    sure = max(1 - exp(-strength / 4), 0.0 if first.strained is None else SURE_OF_FULL)
    return min(MOST_SURE, lead * sure)


def fit(cases: Iterable[tuple[float, bool]]) -> Calibration:
    """The calibration under which raw confidences, each with whether it was right, are likeliest (Newton's method)."""
    points = [(_log_odds(raw), right) for raw, right in cases]
    offset, slope = 0.0, 1.0
    for _ in range(_ROUNDS):
        chances = [_logistic(offset + slope * x) for x, _ in points]
        weights = [p * (1 - p) for p in chances]
        misses = [right - p for p, (_, right) in zip(chances, points, strict=True)]
        g0 = sum(misses) - _PRIOR * offset
        g1 = sum(miss * x for miss, (x, _) in zip(misses, points, strict=True)) - _PRIOR * (slope - 1)
        h00 = sum(weights) + _PRIOR
        h01 = sum(w * x for w, (x, _) in zip(weights, points, strict=True))
        h11 = sum(w * x * x for w, (x, _) in zip(weights, points, strict=True)) + _PRIOR
        det = h00 * h11 - h01 * h01
        offset, slope = offset + (h11 * g0 - h01 * g1) / det, slope + (h00 * g1 - h01 * g0) / det
    return Calibration(offset, slope)


def _log_odds(share: float) -> float:
    held = min(1 - _LEAST, max(_LEAST, share))
    return log(held / (1 - held))


def _logistic(x: float) -> float:
    return 1 / (1 + exp(-x))
