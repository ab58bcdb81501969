"""Turns what is known of a running query into progress packets, each of which says what came since the one before."""

from collections.abc import Callable

from collector.store.doors.protocol import progress
from collector.store.running import Progress


class Pace:
    """Of one query; `write` takes whole packets."""

    def __init__(self, revision: int, write: Callable[[bytes], None]) -> None:
        self._revision = revision
        self._write = write
        self._rows = self._bytes = self._to_read = 0
        # What was told before the result began, and comes once more with the result's figures.
        self._ahead_rows = self._ahead_bytes = 0

    def told(self, so_far: Progress) -> None:
        """Before there is a result: all that was read until now."""
        self._packet(so_far.rows - self._rows, so_far.bytes - self._bytes, so_far.rows_to_read - self._to_read)
        self._to_read = max(self._to_read, so_far.rows_to_read)
        self._rows = self._ahead_rows = max(self._rows, so_far.rows)
        self._bytes = self._ahead_bytes = max(self._bytes, so_far.bytes)

    def read(self, rows: int, size: int) -> None:
        """With a piece of the result: what was read for it."""
        known_rows, known_bytes = min(rows, self._ahead_rows), min(size, self._ahead_bytes)
        self._ahead_rows -= known_rows
        self._ahead_bytes -= known_bytes
        self._packet(rows - known_rows, size - known_bytes, 0)

    def _packet(self, rows: int, size: int, more: int) -> None:
        if rows > 0 or size > 0 or more > 0:
            self._write(progress(self._revision, max(rows, 0), max(size, 0), more=max(more, 0)))
