"""What users would get without the culprit."""

from __future__ import annotations

from rootcause.detect.symptom import Symptom
from rootcause.explain.counterfactual import without
from rootcause.load.window import Bucket, Interval, Quantiles, Served, Window

SLOW = Symptom("front", "/pay", "latency", 100.0, 400.0, 0.7, 20.0)
FAILING = Symptom("front", "/pay", "errors", 0.01, 0.21, 0.2, 20.0)
FULL = Symptom("cart", "", "saturation", 0.2, 0.9, 0.0, 0.0)


def window(*p95: float) -> Window:
    """One entry instance for each p95, the first with three times the calls of each other."""
    rows = (
        Served("front", "v1", f"front-{at}", "/pay", True, (Bucket(0.0, 100 if at else 300),), Quantiles(1, 2, each, 9))
        for at, each in enumerate(p95)
    )
    return Window((Interval(0.0, 10.0),), tuple(rows))


def test_time() -> None:
    told = without("payments", SLOW, 0.9, window(200.0), window(1000.0, 600.0))
    assert told == "without payments, p95 of front /pay would be about 270 ms, not 900 ms"


def test_failures() -> None:
    told = without("payments", FAILING, 0.5, window(200.0), window(200.0))
    assert told == "without payments, about 11 % of requests to front /pay would fail, not 21 %"


def test_nothing_is_made_up() -> None:
    assert without("payments", SLOW, 0.0, window(200.0), window(900.0)) == ""
    assert without("payments", SLOW, 0.9, window(200.0), window(150.0)) == ""
    assert without("payments", SLOW, 0.9, window(), window(900.0)) == ""
    assert without("cart", FULL, 1.0, window(200.0), window(900.0)) == ""
