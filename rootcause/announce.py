"""Decides what of incidents and alarms is told: the beginning of each unless somebody silenced it, that it turned
graver, and its end.

In: what is open, what ended, the silences. Out: messages for the outbox, which takes each in once: so what is open is
simply told again each time, and a stop between the store's row and the message loses nothing. Runs on the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Literal

from collector.store.errors import QueryFailed, StoreUnavailable
from rootcause.alerts.notice import Notice, of_alarm, of_finding
from rootcause.alerts.notify import Notifier
from rootcause.explain.finding import Finding
from rootcause.incidents.casebook import Casebook
from rootcause.incidents.journal import Journal
from rootcause.promises.alarm_book import AlarmBook, AlarmTold
from rootcause.promises.alarm_rows import AlarmRows
from rootcause.promises.alarms import Alarm

log = logging.getLogger(__name__)


def told_of(book: Casebook, alarms: AlarmBook, now: Callable[[], float]) -> list[Notice]:
    """What is open and not silenced, incidents first."""
    heard = [alarm for alarm in alarms.open if not silenced(book, alarm, now())]
    return [of_finding(finding) for finding in book.open if not finding.held_back] + [of_alarm(one) for one in heard]


class Announcer:
    """Tells the webhooks of one engine; `journal` and `rows` are asked how it ended what a stop came between, and only
    then."""

    def __init__(
        self, notifier: Notifier, still_open: Callable[[], list[Notice]], journal: Journal, rows: AlarmRows
    ) -> None:
        self._notifier = notifier
        self._still_open = still_open
        self._journal = journal
        self._rows = rows
        self._resumed = False
        self._caught_up = False

    def incidents(self, ended: Sequence[Finding]) -> None:
        """After an evaluation; the first one has read the silences that an earlier run left."""
        self._resumed = True
        for finding in ended:
            self._notifier.tell("resolved", of_finding(finding))
        self._begun("finding", "alarm")

    def alarms(self, news: Sequence[AlarmTold]) -> None:
        """After a round of the rules."""
        for event, alarm in news:
            log.info("%s %s: %s", event, alarm.id, alarm.title)
            if event == "resolved":
                self._notifier.tell("resolved", of_alarm(alarm))
        if self._resumed:
            # An evaluation may be under way: its incidents are told when it is over, and so written down.
            self._begun("alarm")

    async def catch_up(self) -> None:
        """After evaluations, until it has succeeded once: tells the end of what is over in the store and not yet for
        the webhooks."""
        if self._caught_up:
            return
        try:
            for id in self._notifier.unended():
                self._end(id, await asyncio.to_thread(self._stored, id))
        except (StoreUnavailable, QueryFailed) as error:
            log.warning("whether what was told of is over is not known yet: %s", error)
            return
        self._caught_up = True

    def _end(self, id: str, notice: Notice | None) -> None:
        if notice is None:
            self._notifier.forget(id)
        elif notice.detail["state"] == "resolved":
            self._notifier.tell("resolved", notice)

    def _begun(self, *kinds: Literal["finding", "alarm"]) -> None:
        for notice in self._still_open():
            if notice.kind in kinds:
                self._notifier.tell("opened", notice)

    def _stored(self, id: str) -> Notice | None:
        finding = self._journal.incident(id)
        if finding is not None:
            return of_finding(finding)
        alarm = self._rows.alarm(id)
        return of_alarm(alarm) if alarm is not None else None


def silenced(book: Casebook, alarm: Alarm, now: float) -> bool:
    """By the service, or by the name of the rule: a rule may be of no service."""
    return book.silenced(alarm.service, now) or book.silenced(alarm.rule, now)
