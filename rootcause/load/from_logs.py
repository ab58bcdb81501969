"""Reads what services complain of: troubled log lines, and the exceptions that spans record, counted by bucket.

In: an open Reader and intervals on bucket boundaries. Out: steps of time for a Window (log_trouble). A bucket is kept
while it is part of normal time: asking again reads those in question only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from collector.store.client import Reader
from collector.store.errors import QueryFailed
from rootcause.load.log_patterns import Log
from rootcause.load.log_trouble import TROUBLE_WORDS, trouble_told
from rootcause.load.window import STEP_S, Interval, Step

log = logging.getLogger(__name__)

MOST_KINDS = 2_000
"""Of different lines in one reading, the most frequent ones; figures in them are left out before they are counted."""
_WORDS = ", ".join(f"'{word}'" for word in TROUBLE_WORDS)
_TOLD = f"""
SELECT toUnixTimestamp(toStartOfInterval(TimestampTime, INTERVAL 10 SECOND)) AS At, ServiceName, SeverityText,
    replaceRegexpAll(substringUTF8(Body, 1, 300), '[0-9]+', '0') AS Said, count() AS Times
FROM otel.otel_logs
WHERE TimestampTime >= %(start)s AND TimestampTime < %(end)s
    AND (SeverityNumber >= 13 OR multiSearchAnyCaseInsensitive(Body, [{_WORDS}]))
GROUP BY At, ServiceName, SeverityText, Said ORDER BY Times DESC LIMIT {MOST_KINDS}
"""
_THROWN = f"""
SELECT toUnixTimestamp(toStartOfInterval(Timestamp, INTERVAL 10 SECOND)) AS At, ServiceName, 'ERROR' AS SeverityText,
    'exception ' || more['exception.type'] AS Said, count() AS Times
FROM otel.otel_traces ARRAY JOIN Events.Name AS event, Events.Attributes AS more
WHERE Timestamp >= %(start)s AND Timestamp < %(end)s AND notEmpty(Events.Name) AND event = 'exception'
GROUP BY At, ServiceName, Said ORDER BY Times DESC LIMIT {MOST_KINDS}
"""


class Complaints:
    """What was read, by bucket; of a stretch of time that moves on."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._kept: dict[float, list[Log]] = {}

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
        for missing in _runs(wanted - self._kept.keys()):
            self._kept |= self._read(missing)
        now = self._read(question)
        usual = [line for at in sorted(wanted) for line in self._kept[at]]
        told = trouble_told((usual, before), ([line for at in sorted(now) for line in now[at]], [question]))
        self._kept = {at: lines for at, lines in (self._kept | now).items() if at in wanted or at in question}
        return told[0], told[1]

    def _read(self, interval: Interval) -> dict[float, list[Log]]:
        found: dict[float, list[Log]] = {at: [] for at in _buckets([interval])}
        params = {
            "start": datetime.fromtimestamp(interval.start, UTC),
            "end": datetime.fromtimestamp(interval.end, UTC),
        }
        for query in (_TOLD, _THROWN):
            for at, service, severity, said, times in self._reader.table(query, params).rows:
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
