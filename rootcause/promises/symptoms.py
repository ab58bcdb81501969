"""Rules on what users feel, whoever did it: what goes on too long unexplained, or any symptom.

In: after each evaluation the time, and what entry points show. Out: what fires. No store, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rootcause.detect.symptom import Signal
from rootcause.promises.alarms import CALM_S, Firing, Severity

_TITLES: dict[Signal, str] = {
    "latency": "is slow",
    "errors": "fails requests",
    "throughput": "is hardly asked any more",
    "saturation": "is at its limit",
}


class SymptomRule(BaseModel):
    """Fires for a service while users feel one of the `signals` (of none: any) there for `for_s` seconds; of `services`
    only, if there are any. What an incident tells of counts only if `explained`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    services: tuple[str, ...] = ()
    signals: tuple[Signal, ...] = ()
    explained: bool = False
    severity: Severity = "warning"
    for_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    over_after_s: Annotated[float, Field(ge=0, le=86_400)] = CALM_S

    def holds(self, felt: Felt) -> bool:
        """Whether it is about this."""
        wanted = not self.services or felt.service in self.services
        return wanted and (not self.signals or felt.signal in self.signals) and (self.explained or not felt.explained)


UNEXPLAINED = (SymptomRule(name="unexplained symptom"),)
"""What is told when nobody says: users feel something for a minute, and there is no incident to tell why."""


@dataclass(frozen=True, slots=True)
class Felt:
    """What users feel at an entry point; `sql` shows the figures of `statement`, `why` says what is known of it, and
    `explained` that there is an incident, or one about to open."""

    service: str
    route: str
    signal: Signal
    statement: str
    sql: str
    explained: bool
    why: str = ""


class SymptomRules:
    """The rules, and since when what they are about is felt."""

    def __init__(self, rules: Sequence[SymptomRule]) -> None:
        self._rules = tuple(rules)
        self._since: dict[tuple[str, str], float] = {}

    @property
    def asked(self) -> dict[str, float]:
        """After how many calm seconds alarms are over, by rule."""
        return {rule.name: rule.over_after_s for rule in self._rules}

    def firing(self, now: float, felt: Iterable[Felt]) -> list[Firing]:
        """What fires now, the worst symptom of each service first in `felt`."""
        worst: dict[tuple[str, str], tuple[SymptomRule, Felt]] = {}
        for one in felt:
            for rule in self._rules:
                if rule.holds(one):
                    worst.setdefault((rule.name, one.service), (rule, one))
        self._since = {key: self._since.get(key, now) for key in worst}
        lasting = {key: now - since for key, since in self._since.items()}
        return [_firing(rule, one, lasting[key]) for key, (rule, one) in worst.items() if lasting[key] >= rule.for_s]


def _firing(rule: SymptomRule, felt: Felt, lasting_s: float) -> Firing:
    where = f"{felt.service} {felt.route}".strip()
    unexplained = "" if felt.explained else ", and no service or link explains it"
    return Firing(
        kind="symptom",
        rule=rule.name,
        service=felt.service,
        severity=rule.severity,
        title=f"{where} {_TITLES[felt.signal]}{unexplained}",
        why=f"{felt.statement}. {felt.why}".strip(),
        value=round(lasting_s, 1),
        limit=rule.for_s,
        sql=felt.sql,
    )
