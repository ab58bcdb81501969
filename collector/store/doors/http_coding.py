"""Compresses what goes out over HTTP as the client asked."""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import lz4.frame
import zstandard

from collector.store.doors.compress import compressed

_GZIP: Final = 31
_ZLIB: Final = 15
# Small answers are not worth a thread.
_INLINE: Final = 1 << 16


class _Stream(Protocol):
    """What was given to `part` is whole in what it returned, so that an error behind it can be read."""

    def part(self, data: bytes) -> bytes: ...
    def end(self) -> bytes: ...


class _Zstd:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdCompressor(level=1).compressobj()

    def part(self, data: bytes) -> bytes:
        return self._stream.compress(data) + self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def end(self) -> bytes:
        return self._stream.flush()


class _Lz4:
    def __init__(self) -> None:
        self._stream = lz4.frame.LZ4FrameCompressor(auto_flush=True)
        self._begin: bytes = self._stream.begin()

    def part(self, data: bytes) -> bytes:
        begin, self._begin = self._begin, b""
        return begin + bytes(self._stream.compress(data))

    def end(self) -> bytes:
        begin, self._begin = self._begin, b""
        return begin + bytes(self._stream.flush())


class _Zlib:
    def __init__(self, window: int) -> None:
        self._stream = zlib.compressobj(level=1, wbits=window)

    def part(self, data: bytes) -> bytes:
        return self._stream.compress(data) + self._stream.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._stream.flush()


# In the order in which ClickHouse prefers them (src/IO/CompressionMethod.cpp).
_STREAMS: Final[dict[str, Callable[[], _Stream]]] = {
    "zstd": _Zstd,
    "lz4": _Lz4,
    "gzip": lambda: _Zlib(_GZIP),
    "deflate": lambda: _Zlib(_ZLIB),
}


def accepted(headers: Mapping[str, str]) -> str:
    """The coding that a client reads and we write best; "" for none."""
    named = headers.get("Accept-Encoding", "").lower().split(",")
    asked = {name.strip() for name, _, weight in (one.partition(";") for one in named) if weight.strip() != "q=0"}
    return next((coding for coding in _STREAMS if coding in asked), "")


class Coding:
    """One response body: ClickHouse's frames (`compress=1`) inside a content coding, each only when asked for."""

    def __init__(self, coding: str, *, frames: bool) -> None:
        self._name = coding
        self._frames = frames
        self._stream: _Stream | None = _STREAMS[coding]() if coding else None

    def headers(self) -> dict[str, str]:
        """What the head of the response has to say about it."""
        return {"Content-Encoding": self._name} if self._name else {}

    async def part(self, data: bytes) -> bytes:
        """The next bytes of the body, off the event loop when there are many."""
        if len(data) <= _INLINE or not (self._frames or self._stream):
            return self._coded(data)
        return await asyncio.to_thread(self._coded, data)

    def end(self) -> bytes:
        """What closes the body."""
        return self._stream.end() if self._stream else b""

    def _coded(self, data: bytes) -> bytes:
        if self._frames:
            data = b"".join(compressed(data))
        return self._stream.part(data) if self._stream else data
