"""Which batches were taken of late, and what their senders were told.

In: ids of batches, 16 bytes each. Out: what was said of one. Never: more of them than the bound.
"""

from __future__ import annotations

from collections import OrderedDict

from collector.receive.request import Taken


class Batches:
    """The last `most` batches, oldest first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: OrderedDict[bytes, Taken] = OrderedDict()

    def get(self, batch: bytes) -> Taken | None:
        return self._taken.get(batch)

    def add(self, batch: bytes, taken: Taken) -> None:
        self._taken[batch] = taken
        self._taken.move_to_end(batch)
        while len(self._taken) > self._most:
            self._taken.popitem(last=False)

    def all(self) -> tuple[tuple[bytes, Taken], ...]:
        return tuple(self._taken.items())
