"""When an alarm goes off and is over: a pure state machine over what rules find.

In: after each round of rules the time, what fires, and which rules could be asked. Out: what happened to which alarm.
An alarm says that a promise is broken, not who did it; that is an incident's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

Severity = Literal["critical", "error", "warning"]
CALM_S = 60.0
"""An alarm is over when its rule did not fire for so long, unless the rule says otherwise."""


class Alarm(BaseModel):
    """One alarm. `rule` names the objective or the rule, `value` and `limit` are in the rule's own unit; `sql` shows
    the figure and runs as printed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: Literal["objective", "rule"]
    rule: str
    service: str
    severity: Severity
    state: Literal["open", "resolved"] = "open"
    opened_at: datetime
    updated_at: datetime
    resolved_at: datetime | None = None
    title: str
    why: str
    value: float
    limit: float
    sql: str


@dataclass(frozen=True, slots=True)
class Firing:
    """What one rule found for one service (empty: for none in particular)."""

    kind: Literal["objective", "rule"]
    rule: str
    service: str
    severity: Severity
    title: str
    why: str
    value: float
    limit: float
    sql: str

    @property
    def key(self) -> tuple[str, str]:
        return self.rule, self.service


AlarmNews = tuple[Literal["opened", "updated", "resolved"], Alarm]


class Alarms:
    """All open alarms."""

    def __init__(self, already_open: Iterable[Alarm] = ()) -> None:
        self._open = {(alarm.rule, alarm.service): alarm for alarm in already_open}
        self._fired_at = {key: alarm.updated_at for key, alarm in self._open.items()}

    @property
    def open(self) -> tuple[Alarm, ...]:
        """The oldest first."""
        return tuple(sorted(self._open.values(), key=lambda alarm: alarm.opened_at))

    def judge(
        self, now: datetime, firing: Iterable[Firing], asked: Mapping[str, float], new_id: Callable[[], str]
    ) -> list[AlarmNews]:
        """One round. `asked` says of each rule that could be asked after how many calm seconds its alarms are over;
        a rule that was not asked, for it is not due or the store was away, changes nothing."""
        found: Mapping[tuple[str, str], Firing] = {fired.key: fired for fired in firing}
        news = [self._fires(now, key, fired, new_id) for key, fired in found.items()]
        for key, alarm in list(self._open.items()):
            calm_s = (now - self._fired_at[key]).total_seconds()
            if key not in found and alarm.rule in asked and calm_s >= asked[alarm.rule]:
                del self._open[key], self._fired_at[key]
                done = {"state": "resolved", "resolved_at": now, "updated_at": now}
                news.append(("resolved", alarm.model_copy(update=done)))
        return news

    def _fires(self, now: datetime, key: tuple[str, str], fired: Firing, new_id: Callable[[], str]) -> AlarmNews:
        self._fired_at[key] = now
        known = self._open.get(key)
        if known is None:
            told = {name: getattr(fired, name) for name in Firing.__dataclass_fields__}
            self._open[key] = Alarm(id=new_id(), opened_at=now, updated_at=now, **told)
            return "opened", self._open[key]
        graver = {"severity": fired.severity} if fired.severity == "critical" else {}
        update = {"updated_at": now, "value": fired.value, "why": fired.why, "sql": fired.sql, **graver}
        self._open[key] = known.model_copy(update=update)
        return "updated", self._open[key]
