"""One file of the log: frames of length, checksum and payload, appended by one thread and read by any.

In: payloads in parts. Out: where each begins, and the payload again. Never: half a frame left by a write that failed,
a frame with a wrong checksum handed out.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from collector.errors import LogOfOtherVersion
from collector.wal.record import Damaged

_KIND = b"whymesh log "
_MAGIC = _KIND + b"3\n"
# Knows no requests that wait for a decision; all else is the same.
_BEFORE = _KIND + b"2\n"
_FRAME = struct.Struct("<II")
_MOST_PARTS = 1000
"""Below IOV_MAX of Linux (1024)."""


class Segment:
    """A file named by its number, which rises."""

    def __init__(self, path: Path, number: int, descriptor: int, size: int) -> None:
        self.path = path
        self.number = number
        self.size = size
        self._descriptor = descriptor

    @classmethod
    def create(cls, folder: Path, number: int) -> Segment:
        """Raises OSError."""
        path = folder / f"{number:012d}.wal"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, _MAGIC)
            _sync_folder(folder)
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        return cls(path, number, descriptor, len(_MAGIC))

    @classmethod
    def open(cls, path: Path) -> Segment:
        """One written before, to be read. Raises OSError."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return cls(path, int(path.stem), descriptor, os.fstat(descriptor).st_size)

    def write(self, payloads: Sequence[Sequence[bytes]]) -> list[int]:
        """Appends all payloads and returns where each begins. Raises OSError, and then nothing was appended."""
        places, buffers, end = [], [], self.size
        for parts in payloads:
            checksum = 0
            for part in parts:
                checksum = zlib.crc32(part, checksum)
            length = sum(map(len, parts))
            places.append(end)
            buffers += [_FRAME.pack(length, checksum), *parts]
            end += _FRAME.size + length
        try:
            self._write(buffers)
        except OSError:
            self.cut(self.size)
            raise
        self.size = end
        return places

    def cut(self, size: int) -> None:
        """Takes back what was written after the first `size` bytes. Raises OSError."""
        os.ftruncate(self._descriptor, size)
        self.size = size

    def sync(self) -> None:
        """Returns once all that was written would outlive a loss of power. Raises OSError."""
        os.fdatasync(self._descriptor)

    def read(self, place: int) -> bytes:
        """The payload that begins there. Raises OSError, Damaged."""
        length, checksum = self._frame(place)
        payload = os.pread(self._descriptor, length, place + _FRAME.size)
        if len(payload) != length or zlib.crc32(payload) != checksum:
            raise Damaged(f"{self.path} is damaged at byte {place}")
        return payload

    def payloads(self) -> Iterator[tuple[int, bytes]]:
        """All payloads with their places. Raises OSError, LogOfOtherVersion, Damaged where they end early."""
        begins = os.pread(self._descriptor, len(_MAGIC), 0)
        if begins not in (_MAGIC, _BEFORE) and len(begins) == len(_MAGIC) and begins.startswith(_KIND):
            raise LogOfOtherVersion(
                f"{self.path} was written by another version of the collector, and may hold what was accepted and not "
                f"stored: let that version store it and stop, then remove {self.path.parent}"
            )
        if begins not in (_MAGIC, _BEFORE):
            raise Damaged(f"{self.path} does not begin as a log does")
        place = len(_MAGIC)
        while place < self.size:
            payload = self.read(place)
            yield place, payload
            place += _FRAME.size + len(payload)

    def close(self) -> None:
        os.close(self._descriptor)

    def remove(self) -> None:
        """Raises OSError."""
        self.path.unlink(missing_ok=True)
        self.close()

    def _frame(self, place: int) -> tuple[int, int]:
        header = os.pread(self._descriptor, _FRAME.size, place)
        if len(header) < _FRAME.size:
            raise Damaged(f"{self.path} ends within a record at byte {place}")
        length, checksum = _FRAME.unpack(header)
        # Zeros are what a file system may leave behind a loss of power; they would check as an empty payload.
        if length == 0 or place + _FRAME.size + length > self.size:
            raise Damaged(f"{self.path} is damaged at byte {place}")
        return length, checksum

    def _write(self, buffers: list[bytes]) -> None:
        place = self.size
        for start in range(0, len(buffers), _MOST_PARTS):
            some = buffers[start : start + _MOST_PARTS]
            written, length = os.pwritev(self._descriptor, some, place), sum(map(len, some))
            if written < length:  # the disk is nearly full, or a signal came: the rest says which
                rest = memoryview(b"".join(some))
                while written < length:
                    written += os.pwrite(self._descriptor, rest[written:], place + written)
            place += length


def _sync_folder(folder: Path) -> None:
    """Makes the name of a new file outlive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
