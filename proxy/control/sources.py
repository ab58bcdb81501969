"""Where documents come from that nobody says over the API: files, or whatever else can be read whole and followed.

In: a path. Out: its documents, and a call for each edit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from proxy.control.epochs.written import Written
from proxy.control.reading.read import read
from proxy.control.watch import edits, mark_of

Take = Callable[[], Awaitable[None]]
"""Has what the source says now taken."""


class Source(Protocol):
    """One place; `actor` is who makes the changes that come from there, for the history."""

    @property
    def actor(self) -> str: ...

    def read(self) -> tuple[Written, ...] | None:
        """What it says now, None while that is not known; raises ConfigRefused."""

    async def run(self, take: Take) -> None:
        """Calls `take` after each edit, until cancelled."""


class Files:
    """A file, or a folder of files."""

    def __init__(self, path: Path) -> None:
        self._path, self._seen = path, mark_of(path)
        self.actor = f"file {path.name}"

    def read(self) -> tuple[Written, ...]:
        """Every document; raises ConfigRefused."""
        return read(self._path)

    async def run(self, take: Take) -> None:
        """Takes each edit since this was made."""
        async for _ in edits(self._path, since=self._seen):
            await take()


def actor_of(source: Source | None) -> str:
    """Who makes the changes that come from there."""
    return source.actor if source else "nobody"
