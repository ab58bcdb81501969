"""Blocks of many requests that go into one INSERT, and when such a group is full."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from collector._columnar import MOST_DAYS


class Block(Protocol):
    """What the encoder made of one request for one table."""

    @property
    def table(self) -> str: ...
    @property
    def data(self) -> bytes: ...
    @property
    def rows(self) -> int: ...
    @property
    def days(self) -> tuple[int, ...]: ...


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
    """The block of a request for one table, by the request's number in the log."""

    number: int
    signal: str
    block: bytes
    rows: int
    days: frozenset[int]
    own: bool


@dataclass
class Group:
    """Blocks that go into one INSERT."""

    table: str
    members: list[Waiting] = field(default_factory=list)
    rows: int = 0
    size: int = 0
    days: frozenset[int] = frozenset()

    def has_room(self, member: Waiting, limits: Limits) -> bool:
        """A group holds at least one request, however large."""
        return not self.members or (
            self.rows + member.rows <= limits.rows
            and self.size + len(member.block) <= limits.group_bytes
            and len(self.days | member.days) <= MOST_DAYS
        )

    def add(self, member: Waiting) -> None:
        self.members.append(member)
        self.rows += member.rows
        self.size += len(member.block)
        self.days |= member.days

    def halves(self) -> tuple[Group, Group]:
        """Two groups of the same blocks in the same order."""
        halves, middle = (Group(self.table), Group(self.table)), len(self.members) // 2
        for place, member in enumerate(self.members):
            halves[place >= middle].add(member)
        return halves

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(member.number for member in self.members)
