"""Blocks of many requests that go into one INSERT of one partition, and when such a group is full."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from collector.wal.record import Partition


class Block(Protocol):
    """What the encoder made of one request for one partition."""

    @property
    def table(self) -> str: ...
    @property
    def day(self) -> int: ...
    @property
    def data(self) -> bytes: ...
    @property
    def rows(self) -> int: ...


def partition_of(block: Block) -> Partition:
    """Where its rows go."""
    return Partition(block.table, block.day)


@dataclass(frozen=True)
class Limits:
    """When a group is full, how long it waits for company, how much may wait, how long is tried when stopping."""

    rows: int = 50_000
    group_bytes: int = 64 << 20
    wait_s: float = 0.2
    queue_bytes: int = 256 << 20
    stop_s: float = 8.0


@dataclass(frozen=True, eq=False)
class Waiting:
    """The block of a request for one partition, by the request's number in the log."""

    number: int
    signal: str
    block: bytes
    rows: int
    partition: Partition
    own: bool


@dataclass
class Group:
    """Blocks that go into one INSERT."""

    partition: Partition
    members: list[Waiting] = field(default_factory=list)
    rows: int = 0
    size: int = 0

    def has_room(self, member: Waiting, limits: Limits) -> bool:
        """A group holds at least one request, however large."""
        return not self.members or (
            self.rows + member.rows <= limits.rows and self.size + len(member.block) <= limits.group_bytes
        )

    def add(self, member: Waiting) -> None:
        self.members.append(member)
        self.rows += member.rows
        self.size += len(member.block)

    def halves(self) -> tuple[Group, Group]:
        """Two groups of the same blocks in the same order."""
        halves, middle = (Group(self.partition), Group(self.partition)), len(self.members) // 2
        for place, member in enumerate(self.members):
            halves[place >= middle].add(member)
        return halves

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(member.number for member in self.members)
