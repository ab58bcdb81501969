"""Bytes that requests may hold at one time; beyond it senders are told to wait instead of memory growing."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from collector.errors import Overloaded


class Budget:
    """A number of bytes shared by all requests under way. Belongs to one event loop."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    def share(self) -> Share:
        return Share(self)


class Share:
    """What one request holds, from its first byte to its answer."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._held = 0

    def add(self, count: int) -> None:
        """Raises Overloaded when it would pass the budget; a request alone always passes."""
        budget = self._budget
        if budget.held > self._held and budget.held + count > budget.most:
            raise Overloaded(f"requests of {budget.held} bytes are under way, the limit is {budget.most}: try again")
        self._held += count
        budget.held += count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget.held -= self._held
        self._held = 0
