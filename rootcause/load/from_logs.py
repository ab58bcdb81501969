"""Reads what services complain of: troubled log lines, and the exceptions that spans record, counted by bucket.

In: an open Reader and intervals on bucket boundaries. Out: steps of time for a Window (log_trouble). Of normal time
only those are read who complain now, for trouble that is over is no fault. A bucket is kept while it is part of normal
time: asking again reads those in question only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence, Set
from datetime import UTC, datetime
from math import ceil

from collector.store.client import Reader
from collector.store.errors import QueryFailed
from rootcause.load.log_patterns import Log
from rootcause.load.log_trouble import TROUBLE_WORDS, trouble_told
from rootcause.load.window import STEP_S, Interval, Step

log = logging.getLogger(__name__)

PART_S = 60.0
"""As long as the time in question: where more is said than can be looked at, as much is left out of each such part of
normal time, and what is said all the time does not seem new."""
MOST_KINDS = 20
"""Of different lines of a service in a part, the most frequent ones."""
MOST_LINES = 2_000
"""Of different lines of all services in a part."""
SECONDS = 5
"""What the store may take over one query of them: what supports a verdict is not to hold it up longer than from one
evaluation to the next."""
_FIGURES = r"""[^\s,;=:\[\](){}<>"'|]*[0-9][^\s,;=:\[\](){}<>"'|]*"""
"""Words with figures make no other line of it, as they make no other pattern."""
_WORDS = ", ".join(f"'{word}'" for word in TROUBLE_WORDS)
# Lines by bucket, then in one row all buckets of what is the same.
_KINDS = f"""
SELECT ServiceName, SeverityText, Said, groupArray((At, Times)) AS Told
FROM
(
    SELECT toUnixTimestamp(toStartOfInterval({{time}}, INTERVAL 10 SECOND)) AS At, ServiceName, {{what}},
        count() AS Times
    FROM {{table}}
    WHERE {{time}} >= %(start)s AND {{time}} < %(end)s AND (%(all)s OR ServiceName IN %(services)s) AND {{troubled}}
    GROUP BY At, ServiceName, SeverityText, Said
)
GROUP BY intDiv(At - %(from)s, {PART_S:.0f}) AS Part, ServiceName, SeverityText, Said
ORDER BY sum(Times) DESC, ServiceName, Said LIMIT {MOST_KINDS} BY Part, ServiceName LIMIT %(most)s
SETTINGS max_execution_time = {SECONDS}
"""
_TOLD = _KINDS.format(
    time="TimestampTime",
    what="SeverityText, replaceRegexpAll(substringUTF8(Body, 1, 300), %(figures)s, '0') AS Said",
    table="otel.otel_logs",
    troubled=f"(SeverityNumber >= 13 OR multiSearchAnyCaseInsensitive(Body, [{_WORDS}]))",
)
_THROWN = _KINDS.format(
    time="Timestamp",
    what="'ERROR' AS SeverityText, 'exception ' || more['exception.type'] AS Said",
    table="otel.otel_traces ARRAY JOIN Events.Name AS event, Events.Attributes AS more",
    troubled="notEmpty(Events.Name) AND event = 'exception'",
)


class Complaints:
    """What was read, by bucket; of a stretch of time that moves on."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._kept: dict[float, list[Log]] = {}
        self._services: Set[str] = frozenset()  # who is in all that is kept

    def steps(self, normal: Sequence[Interval], question: Interval) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """Of normal time before the time in question, and of that; nothing when there is too much to be heard in time.

        Raises StoreUnavailable.
        """
        try:
            return self._steps(normal, question)
        except QueryFailed as error:
            log.warning("what services complain of is not known: %s", error)
            return (), ()

    def _steps(self, normal: Sequence[Interval], question: Interval) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        before = [Interval(part.start, min(part.end, question.start)) for part in normal if part.start < question.start]
        wanted = _buckets(before)
        now = self._read(question)
        self._hear(wanted, {line.service for lines in now.values() for line in lines})
        usual = [line for at in sorted(wanted) for line in self._kept[at]]
        told = trouble_told((usual, before), ([line for at in sorted(now) for line in now[at]], [question]))
        self._kept = {at: lines for at, lines in (self._kept | now).items() if at in wanted or at in question}
        return told[0], told[1]

    def _hear(self, wanted: Set[float], speaking: Set[str]) -> None:
        """Makes sure that all buckets are kept, with these services in them."""
        known = wanted & self._kept.keys()
        before = self._services if known else frozenset[str]()
        new = speaking - before
        found = {at: self._kept[at] + lines for run in _runs(known) for at, lines in self._read(run, new).items()}
        for run in _runs(wanted - known):
            found |= self._read(run, before | new)
        self._kept |= found
        self._services = before | new

    def _read(self, interval: Interval, services: Set[str] | None = None) -> dict[float, list[Log]]:
        """Of these services; of all when none are given."""
        found: dict[float, list[Log]] = {at: [] for at in _buckets([interval])}
        if services is not None and not services:
            return found
        params = {
            "start": datetime.fromtimestamp(interval.start, UTC),
            "end": datetime.fromtimestamp(interval.end, UTC),
            "from": round(interval.start),
            "all": services is None,
            "services": tuple(sorted(services or {""})),
            "most": MOST_LINES * ceil(interval.seconds / PART_S),
            "figures": _FIGURES,
        }
        for query in (_TOLD, _THROWN):
            for service, severity, said, told in self._reader.table(query, params).rows:
                for at, times in told:
                    found[float(at)].append(Log(float(at), service, severity, "", said, times))
        return found


def _buckets(intervals: Sequence[Interval]) -> set[float]:
    return {
        part.start + STEP_S * index for part in intervals for index in range(round((part.end - part.start) / STEP_S))
    }


def _runs(buckets: Iterable[float]) -> list[Interval]:
    """Buckets in a row as one interval."""
    runs: list[Interval] = []
    for at in sorted(buckets):
        if runs and runs[-1].end == at:
            runs[-1] = Interval(runs[-1].start, at + STEP_S)
        else:
            runs.append(Interval(at, at + STEP_S))
    return runs
