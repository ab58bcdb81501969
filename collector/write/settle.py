"""Knows of each request in the log which partitions still lack its rows, and frees the request when none does.

In: what is expected, what inserts come to. Out: notes in the log. Never: a request freed before all of its rows are
stored or counted as dropped.
"""

from __future__ import annotations

from collections.abc import Sequence

from collector.wal.log import Log
from collector.wal.record import Outcome, Partition
from collector.write.group import Block, Group, partition_of


class Ledger:
    """Belongs to one event loop."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lacking: dict[int, set[Partition]] = {}

    def expect(self, number: int, blocks: Sequence[Block]) -> None:
        """These blocks of a request are on their way; when there is none, it is done."""
        self._lacking[number] = set(map(partition_of, blocks))
        self._check(number)

    def missing(self, number: int, blocks: Sequence[Block]) -> Sequence[Block]:
        """Those of a request's blocks that an earlier process did not store."""
        stored = self._log.stored(number)
        return [block for block in blocks if partition_of(block) not in stored]

    async def inserting(self, token: bytes, group: Group) -> None:
        """Before an insert. Raises LogUnwritable."""
        await self._log.inserting(token, group.partition, group.numbers)

    def settled(self, token: bytes, group: Group, outcome: Outcome) -> None:
        """After an insert."""
        self._log.settled(token, outcome)
        if outcome is Outcome.VOID:
            return
        for member in group.members:
            self._lacking[member.number].discard(group.partition)
            self._check(member.number)

    def forget(self, number: int) -> None:
        """The request cannot be read any more."""
        self._lacking.pop(number, None)
        self._log.finished(number)

    def _check(self, number: int) -> None:
        if not self._lacking[number]:
            self.forget(number)
