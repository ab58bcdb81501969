"""How much of what is felt is whose doing: the culprit's part of what all suspects add.

Pure: nothing but the verdict and its symptom.
"""

from rootcause.detect.symptom import Symptom
from rootcause.explain.finding import Contribution
from rootcause.judge.diagnose import Verdict
from rootcause.judge.suspect import Suspect


def contribution(verdict: Verdict, symptom: Symptom) -> Contribution:
    """In the symptom's unit, and as a share of all that was added; of services slow in one place that of all."""
    parts = {suspect.service: _part(suspect, symptom) for suspect in verdict.suspects}
    whole = sum(parts.values())
    share = sum(parts.get(service, 0.0) for service in verdict.together) / whole if whole else 0.0
    return Contribution(
        value=round(share * (symptom.observed - symptom.baseline), 4),
        unit=symptom.unit,
        share=round(share, 3),
    )


def _part(suspect: Suspect, symptom: Symptom) -> float:
    if symptom.signal == "latency":
        return suspect.time_part
    return suspect.full_part if symptom.signal == "saturation" else suspect.error_part + suspect.step_part
