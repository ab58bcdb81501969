"""One round after the other: asks whether objectives and rules hold, and has a book keep the alarms.

In: an open store, objectives, rules, the time. Out: what others are to be told. Blocking; one thread at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from collector.store.client import Reader
from collector.store.errors import QueryFailed
from rootcause.explain.quantities import ms, percent
from rootcause.promises.alarm_book import AlarmBook, AlarmTold
from rootcause.promises.alarms import CALM_S, Alarm, Firing
from rootcause.promises.burn import PACES, Counts, Pace, burns, known
from rootcause.promises.counts import count, statement
from rootcause.promises.objective import Objective
from rootcause.promises.rule import Rule, ask, refused, refused_name

log = logging.getLogger(__name__)

EVERY_S = 15.0
"""Between two looks at an objective."""
REFUSED_OFTEN = 2
"""A rule that the store refuses so often running is an alarm of its own."""

Burning = Callable[[str, int, Mapping[str, float]], None]
"""Hears of an objective, over so many seconds, how many times too fast each service burns its budget."""


@dataclass(slots=True)
class _Question:
    """An objective or a rule: what to ask and how often; `refused` counts refusals running."""

    name: str
    every_s: float
    over_after_s: float
    ask: Callable[[float], list[Firing]]
    rule: Rule | None = None
    due: float = 0.0
    refused: int = 0


class Guard:
    """Asks for one running engine; its alarms are in `book`."""

    def __init__(
        self,
        reader: Reader,
        book: AlarmBook,
        objectives: Sequence[Objective],
        rules: Sequence[Rule],
        burning: Burning = lambda *_: None,
        others: Iterable[str] = (),
    ) -> None:
        """`others` are names of rules whose alarms somebody else judges."""
        self._others = frozenset(others)
        self._burning_at = burning
        self._reader = reader
        self._book = book
        self._questions = [
            *(_Question(one.name, EVERY_S, CALM_S, partial(self._burning, one)) for one in objectives),
            *(_Question(one.name, one.every_s, one.over_after_s, partial(self._fires, one), one) for one in rules),
        ]

    def pause_s(self, now: float) -> float:
        """How long nothing is due."""
        return max(0.0, min((question.due for question in self._questions), default=now + EVERY_S) - now)

    def look(self, now: float) -> list[AlarmTold]:
        """One round: asks what is due. A query that is refused changes nothing of its rule's alarms. Raises
        StoreUnavailable; then everything is still due."""
        self._book.resume()
        asked = self._of_nobody(self._book.open)
        firing: list[Firing] = []
        due = [question for question in self._questions if question.due <= now]
        for question in due:
            firing += self._answer(question, now, asked)
        for question in due:
            question.due = now + question.every_s
        return self._book.judge(now, firing, asked)

    def _of_nobody(self, alarms: Sequence[Alarm]) -> dict[str, float]:
        """Alarms that are open and whose rule is in the settings no more: they are over when they are calm, too."""
        names = {question.name for question in self._questions}
        names |= {refused_name(question.rule) for question in self._questions if question.rule is not None}
        return {alarm.rule: CALM_S for alarm in alarms if alarm.rule not in names | self._others}

    def _answer(self, question: _Question, now: float, asked: dict[str, float]) -> list[Firing]:
        """What fires; takes down in `asked` whose alarms may be over."""
        try:
            firing = question.ask(now)
        except QueryFailed as error:
            question.refused += 1
            log.warning("rule %s cannot be asked: %s", question.name, error)
            if question.rule is None:
                self._unknown(question.name)
            if question.rule is None or question.refused < REFUSED_OFTEN:
                return []
            return [refused(question.rule, error)]
        question.refused = 0
        asked[question.name] = question.over_after_s
        if question.rule is not None:
            asked[refused_name(question.rule)] = 0.0
        return firing

    def _unknown(self, objective: str) -> None:
        for pace in PACES:
            self._burning_at(objective, pace.short_s, {})

    def _fires(self, rule: Rule, _: float) -> list[Firing]:
        return ask(self._reader, rule)

    def _burning(self, objective: Objective, now: float) -> list[Firing]:
        """The gravest pace at which the budget burns, by service; the long time is looked at only where the short one
        burns."""
        found: dict[str, Firing] = {}
        for pace in PACES:
            short = count(self._reader, objective, now, pace.short_s)
            times = {service: counts.share / objective.budget for service, counts in short.items()}
            self._burning_at(objective.name, pace.short_s, times)
            hot = {s for s, counts in short.items() if burns(counts, objective.budget, pace.factor)} - found.keys()
            long = count(self._reader, objective, now, pace.long_s) if hot else {}
            for service in sorted(hot & long.keys()):
                if known(long[service], pace) and burns(long[service], objective.budget, pace.factor):
                    found[service] = _firing(objective, service, pace, short[service], long[service], now)
        return list(found.values())


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
            f"{percent(long.share)} of {long.calls:,} requests in the last {hours:g} h {bad}, {burn:.0f} times"
            f" what the objective allows, and {percent(short.share)} in the last {pace.short_s / 60:g} min"
        ),
        value=burn,
        limit=pace.factor,
        sql=statement(objective, now - pace.long_s, now),
    )


def _promise(objective: Objective) -> str:
    of = f"of {objective.route} requests" if objective.route else "of requests"
    if objective.latency is not None:
        return f"{objective.latency.share:g} % {of} within {ms(objective.latency.within_ms)}"
    return f"{objective.availability:g} % {of} do not fail"
