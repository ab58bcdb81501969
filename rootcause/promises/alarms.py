"""When an alarm goes off and is over: a pure state machine over what rules find.

In: after each round of rules the time, what fires, and which rules could be asked. Out: what happened to which alarm.
An alarm says that a promise is broken, not who did it; that is an incident's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from rootcause.explain.finding import Note

Severity = Literal["critical", "error", "warning"]
Kind = Literal["objective", "rule", "symptom"]
_RANKS: Mapping[Severity, int] = {"warning": 0, "error": 1, "critical": 2}
CALM_S = 60.0
"""An alarm is over when its rule did not fire for so long, unless the rule says otherwise."""


def reaches(severity: Severity, bar: Severity) -> bool:
    """Whether something is at least so grave."""
    return _RANKS[severity] >= _RANKS[bar]


class Alarm(BaseModel):
    """One alarm. `rule` names the objective or the rule, `value` and `limit` are in the rule's own unit; `sql` shows
    the figure and runs as printed. `acknowledged` is who looks after it, and since when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: Kind
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
    acknowledged: Note | None = None
    notes: tuple[Note, ...] = ()

    def later(self, at: datetime, **change: Any) -> Alarm:
        """Changed, and later than it was, also when clocks of threads disagree: only the newest row of it holds."""
        at = max(at, self.updated_at + timedelta(milliseconds=1))
        return self.model_copy(update={**change, "updated_at": at})


@dataclass(frozen=True, slots=True)
class Firing:
    """What one rule found for one service (empty: for none in particular)."""

    kind: Kind
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


AlarmNews = tuple[Literal["opened", "updated", "worsened", "resolved"], Alarm]
"""`worsened`: it goes on, and is graver than it was."""


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
                news.append(("resolved", alarm.later(now, state="resolved", resolved_at=now)))
        return news

    def put(self, alarm: Alarm) -> None:
        """Takes the place of what is open of this id, if that still is."""
        key = alarm.rule, alarm.service
        if key in self._open and self._open[key].id == alarm.id:
            self._open[key] = alarm

    def _fires(self, now: datetime, key: tuple[str, str], fired: Firing, new_id: Callable[[], str]) -> AlarmNews:
        self._fired_at[key] = now
        known = self._open.get(key)
        if known is None:
            told = {name: getattr(fired, name) for name in Firing.__dataclass_fields__}
            self._open[key] = Alarm(id=new_id(), opened_at=now, updated_at=now, **told)
            return "opened", self._open[key]
        worse = not reaches(known.severity, fired.severity)
        now_so = {name: getattr(fired, name) for name in ("value", "limit", "why", "sql")}
        severity = fired.severity if worse else known.severity
        self._open[key] = known.later(now, severity=severity, **now_so)
        return "worsened" if worse else "updated", self._open[key]
