"""Reads the log that an earlier process left: what it took, and how far it came with it.

In: the segments of a folder. Out: requests whose rows are not all known to be stored, inserts that may have happened or
not, the batches taken. Never: a record after one that is damaged, a batch with an id counted twice.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from collector.wal.batches import Batches
from collector.wal.boot import boot_id
from collector.wal.record import (
    UNDECIDED,
    Damaged,
    Decided,
    Head,
    Insert,
    Logged,
    Outcome,
    Partition,
    Record,
    Settled,
    decode,
)
from collector.wal.segment import Segment

log = logging.getLogger("whymesh.collector")


@dataclass(frozen=True)
class Place:
    """Where a request is in the log, how many partitions it goes to, and which of them have it.

    `blocks` is UNDECIDED while nobody knows, `verdict` what was decided of its spans since.
    """

    segment: Segment
    place: int
    blocks: int
    stored: set[Partition] = field(default_factory=set)
    verdict: bytes | None = None

    @property
    def done(self) -> bool:
        """All partitions have it, as far as the log says."""
        return self.blocks != UNDECIDED and len(self.stored) >= self.blocks


@dataclass
class Recovered:
    """What was left, by token: `open`, inserts that had begun when the process ended; `doubted`, inserts of before the
    machine was started anew, which the store may have lost with the power."""

    batches: Batches
    segments: list[Segment] = field(default_factory=list)
    requests: dict[int, Place] = field(default_factory=dict)
    open: dict[bytes, Insert] = field(default_factory=dict)
    doubted: dict[bytes, Insert] = field(default_factory=dict)
    next_number: int = 1
    damaged_bytes: int = 0

    @property
    def undecided(self) -> list[int]:
        """Requests that wait for a decision, in the order in which they came."""
        found = self.requests.items()
        return sorted(number for number, one in found if one.blocks == UNDECIDED and one.verdict is None)


def recover(folder: Path, most_batches: int) -> Recovered:
    """Raises OSError when the log cannot be read, LogOfOtherVersion."""
    found = Recovered(Batches(most_batches))
    now, then = boot_id(), b""
    for path in sorted(folder.glob("*.wal")):
        segment = Segment.open(path)
        found.segments.append(segment)
        end = 0
        try:
            for place, payload in segment.payloads():
                record = decode(payload)
                if isinstance(record, Head):
                    then = record.boot
                _apply(found, segment, place, record, doubt=then != now)
                end = place + len(payload)
        except Damaged as error:
            found.damaged_bytes += segment.size - end
            log.warning("%s: what follows, at most %d bytes, was not written whole", error, segment.size - end)
    found.requests = {number: one for number, one in found.requests.items() if not one.done}
    for inserts in (found.open, found.doubted):
        for token in [token for token, insert in inserts.items() if not found.requests.keys() & insert.numbers]:
            del inserts[token]
    return found


def unfinished(requests: dict[int, Place]) -> Counter[int]:
    """How many requests of each segment still need it."""
    return Counter(place.segment.number for place in requests.values())


def _apply(found: Recovered, segment: Segment, place: int, record: Record, *, doubt: bool) -> None:
    match record:
        case Logged(number, request, blocks, taken):
            found.next_number = max(found.next_number, number + 1)
            batch = request.form.batch
            # Logged again when the sender was not told of the first time, since the disk failed then.
            if batch and found.batches.get(batch) is not None:
                return
            if batch:
                found.batches.add(batch, taken)
            found.requests[number] = Place(segment, place, blocks)
        case Insert(token):
            (found.doubted if doubt else found.open)[token] = record
        case Settled(token, outcome) if not (doubt and outcome is Outcome.STORED):
            insert = found.open.pop(token, None) or found.doubted.pop(token, None)
            if insert is not None and outcome is not Outcome.VOID:
                for number in insert.numbers:
                    if number in found.requests:
                        found.requests[number].stored.add(insert.partition)
        case Decided(number, verdict):
            if number in found.requests:
                found.requests[number] = replace(found.requests[number], verdict=verdict)
        case Head(next_number, _, batches):
            found.next_number = max(found.next_number, next_number)
            for batch, taken in batches:
                found.batches.add(batch, taken)
