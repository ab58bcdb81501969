"""Connections that have not asked anything yet: how many there may be, and which one has to go when there are more.

In: connections as they come, ask, are answered and leave. Out: who is to be parted with. Pure: no sockets, no clock.
Never: an order in which somebody who asks at once loses to somebody who waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Waiting(Generic[T]):
    """`of_one` is how many of one address may wait, `of_all` how many at all."""

    def __init__(self, of_one: int, of_all: int) -> None:
        self._of_one, self._of_all = of_one, of_all
        self._by_address: defaultdict[str, dict[T, None]] = defaultdict(dict)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def begin(self, one: T, address: str) -> T | None:
        """`one` waits from now on; who has to go for it: the oldest of its address, or of whoever has most."""
        waiting = self._by_address[address]
        self._count += one not in waiting
        waiting[one] = None
        if len(waiting) > self._of_one:
            return self._drop(address)
        if self._count > self._of_all:
            return self._drop(max(self._by_address, key=lambda it: len(self._by_address[it])))
        return None

    def end(self, one: T, address: str) -> None:
        """`one` asks, or is gone; that it never waited is no mistake."""
        waiting = self._by_address.get(address, {})
        if one in waiting:
            del waiting[one]
            self._count -= 1
        if not waiting:
            self._by_address.pop(address, None)

    def _drop(self, address: str) -> T:
        oldest = next(iter(self._by_address[address]))
        self.end(oldest, address)
        return oldest
