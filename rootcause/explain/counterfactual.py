"""What users would get without the culprit, in one sentence: the 95th percentile, or the share that fails.

In: both windows, the symptom, and the part of it that is the culprit's. Out: words. An estimate: the culprit is taken
to have added the same part to slow requests as to all of them.
"""

from rootcause.detect.symptom import Symptom
from rootcause.explain.quantities import ms, percent
from rootcause.load.window import Window, calls


def without(culprit: str, symptom: Symptom, share: float, baseline: Window, observed: Window) -> str:
    """The sentence; empty where the culprit explains nothing of the symptom, or a quantile is not known."""
    if share <= 0 or symptom.signal in ("saturation", "throughput"):
        return ""
    where = f"{symptom.service} {symptom.route}".strip()
    if symptom.signal == "errors":
        left = symptom.observed - share * (symptom.observed - symptom.baseline)
        rates = f"{percent(left)} of requests to {where} would fail, not {percent(symptom.observed)}"
        return f"without {culprit}, about {rates}"
    usual, now = _p95_ms(baseline, symptom), _p95_ms(observed, symptom)
    if usual is None or now is None or now <= usual:
        return ""
    left = now - share * (now - usual)
    return f"without {culprit}, p95 of {where} would be about {ms(left)}, not {ms(now)}"


def _p95_ms(window: Window, symptom: Symptom) -> float | None:
    """Of the requests that the symptom is about; over several instances their mean, by calls."""
    rows = [row for row in window.served if (row.service, row.route) == (symptom.service, symptom.route)]
    known = [(calls(row.buckets), row.durations.p95) for row in rows if row.durations is not None]
    total = sum(many for many, _ in known)
    return sum(many * p95 for many, p95 in known) / total if total else None
