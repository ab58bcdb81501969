"""A message to try the webhooks with: everything that a real one has, and says that it is none."""

from __future__ import annotations

import secrets
from datetime import datetime

from rootcause.explain.finding import Contribution, Culprit, Finding, Ranked, Symptom, Windows

SERVICE = "whymesh-test"


def trial(now: datetime) -> tuple[Finding, Finding]:
    """An incident that opens and is resolved at once, so that no listener keeps it open."""
    opened = Finding(
        id=f"test-{secrets.token_hex(4)}",
        state="open",
        opened_at=now,
        updated_at=now,
        title="Test message: nothing is wrong",
        symptom=Symptom(service=SERVICE, route="/", signal="latency", baseline=40.0, observed=40.0, unit="ms"),
        culprit=Culprit(service=SERVICE),
        confidence=0.0,
        contribution=Contribution(value=0.0, unit="ms", share=0.0),
        ranking=(
            Ranked(
                service=SERVICE,
                score=0.0,
                own_time_ms=None,
                own_errors=None,
                link_ms=None,
                why="somebody tried whether this webhook is told",
            ),
        ),
        ruled_out=(),
        exemplars=(),
        counter_exemplars=(),
        change=None,
        evidence=(),
        windows=Windows(baseline=(now, now), incident=(now, now)),
    )
    return opened, opened.model_copy(update={"state": "resolved", "resolved_at": now})
