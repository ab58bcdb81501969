"""One round after the other: asks whether objectives and rules hold, keeps the alarms and writes them down.

In: an open store, objectives, rules, the time. Out: what others are to be told. Blocking; one thread at a time.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from collector.store.client import Reader
from collector.store.errors import QueryFailed, StoreUnavailable
from rootcause.explain import wording
from rootcause.incidents.journal import Journal
from rootcause.promises.alarms import Alarm, Alarms, Firing
from rootcause.promises.burn import PACES, Counts, Pace, burns, known
from rootcause.promises.counts import count, statement
from rootcause.promises.objective import Objective
from rootcause.promises.rule import Rule, ask

log = logging.getLogger(__name__)

EVERY_S = 15.0
"""Between two looks at the objectives."""
REWRITE_S = 60.0
"""An open alarm is written again this often at most."""

AlarmTold = tuple[Literal["opened", "resolved"], Alarm]


class Guard:
    """The alarms of one running engine."""

    def __init__(
        self,
        reader: Reader,
        journal: Journal,
        objectives: Sequence[Objective],
        rules: Sequence[Rule],
        burning: Callable[[str, str, int, float], None] = lambda *_: None,
    ) -> None:
        """`burning` hears of each objective and service how many times too fast its budget burns, over so many
        seconds."""
        self._burning_at = burning
        self._reader = reader
        self._journal = journal
        self._objectives = tuple(objectives)
        self._rules = tuple(rules)
        self._due = {rule.name: 0.0 for rule in rules}
        self._alarms: Alarms | None = None
        self._unwritten: dict[str, Alarm] = {}
        self._written_at: dict[str, float] = {}

    @property
    def open(self) -> tuple[Alarm, ...]:
        """The oldest first."""
        return self._alarms.open if self._alarms is not None else ()

    def look(self, now: float) -> list[AlarmTold]:
        """One round. A query that is refused is logged and changes nothing of its rule. Raises StoreUnavailable."""
        if self._alarms is None:
            self._alarms = Alarms(self._journal.open_alarms())
        firing: list[Firing] = []
        asked: set[str] = set()
        for objective in self._objectives:
            self._ask(objective.name, firing, asked, partial(self._burning, objective, now))
        for rule in self._rules:
            if self._due[rule.name] <= now:
                self._due[rule.name] = now + rule.every_s
                self._ask(rule.name, firing, asked, partial(ask, self._reader, rule))
        news = self._alarms.judge(datetime.fromtimestamp(now, UTC), firing, asked, lambda: uuid.uuid4().hex[:12])
        for event, alarm in news:
            if event != "updated" or now - self._written_at.get(alarm.id, 0.0) >= REWRITE_S:
                self._unwritten[alarm.id] = alarm
                self._written_at[alarm.id] = now
        self._write()
        return [(event, alarm) for event, alarm in news if event != "updated"]

    def _ask(self, rule: str, firing: list[Firing], asked: set[str], question: Callable[[], list[Firing]]) -> None:
        try:
            firing += question()
            asked.add(rule)
        except QueryFailed as error:
            log.warning("rule %s cannot be asked: %s", rule, error)

    def _burning(self, objective: Objective, now: float) -> list[Firing]:
        """The gravest pace at which the budget burns, by service; the long time is looked at only where the short one
        burns."""
        found: dict[str, Firing] = {}
        for pace in PACES:
            short = count(self._reader, objective, now, pace.short_s)
            for service, counts in short.items():
                self._burning_at(objective.name, service, pace.short_s, counts.share / objective.budget)
            hot = {s for s, counts in short.items() if burns(counts, objective.budget, pace.factor)} - found.keys()
            long = count(self._reader, objective, now, pace.long_s) if hot else {}
            for service in sorted(hot & long.keys()):
                if known(long[service], pace) and burns(long[service], objective.budget, pace.factor):
                    found[service] = _firing(objective, service, pace, short[service], long[service], now)
        return list(found.values())

    def _write(self) -> None:
        for id, alarm in list(self._unwritten.items()):
            try:
                self._journal.write_alarm(alarm)
            except (StoreUnavailable, QueryFailed) as error:
                log.warning("alarm %s is not written yet: %s", id, error)
                return
            del self._unwritten[id]


def _firing(objective: Objective, service: str, pace: Pace, short: Counts, long: Counts, now: float) -> Firing:
    burn = long.share / objective.budget
    hours = pace.long_s / 3_600
    bad = "were slower" if objective.latency is not None else "failed"
    return Firing(
        kind="objective",
        rule=objective.name,
        service=service,
        severity=pace.severity,
        title=f"{service} breaks its objective: {_promise(objective)}",
        why=(
            f"{wording.percent(long.share)} of {long.calls} requests in the last {hours:g} h {bad}, {burn:.0f} times"
            f" what the objective allows, and {wording.percent(short.share)} in the last {pace.short_s / 60:g} min"
        ),
        value=burn,
        limit=pace.factor,
        sql=statement(objective, now - pace.long_s, now),
    )


def _promise(objective: Objective) -> str:
    of = f"of {objective.route} requests" if objective.route else "of requests"
    if objective.latency is not None:
        return f"{objective.latency.share:g} % {of} within {wording.ms(objective.latency.within_ms)}"
    return f"{objective.availability:g} % {of} do not fail"
