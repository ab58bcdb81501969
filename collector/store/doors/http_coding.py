"""Compresses what goes out over HTTP as the client asked, and decompresses what came in."""

import asyncio
import zlib
from collections.abc import Mapping
from typing import Final

import lz4.frame

from collector.store.doors.compress import compressed
from collector.store.errors import query_failed

CANNOT_DECOMPRESS: Final = 271
BODY_MOST: Final = 64 << 20
_GZIP: Final = 31
# Small answers are not worth a thread.
_INLINE: Final = 1 << 16


class Coding:
    """One response body: ClickHouse's frames (`compress=1`) inside gzip, each only when asked for.

    What was given to `part()` is whole on the wire at once, so that an error behind it can be read.
    """

    def __init__(self, *, gzip: bool, frames: bool) -> None:
        self._frames = frames
        self._gzip = zlib.compressobj(level=1, wbits=_GZIP) if gzip else None

    def headers(self) -> dict[str, str]:
        """What the head of the response has to say about it."""
        return {"Content-Encoding": "gzip"} if self._gzip else {}

    async def part(self, data: bytes) -> bytes:
        """The next bytes of the body, off the event loop when there are many."""
        if len(data) <= _INLINE or not (self._frames or self._gzip):
            return self._coded(data)
        return await asyncio.to_thread(self._coded, data)

    def end(self) -> bytes:
        """What closes the body."""
        return self._gzip.flush() if self._gzip else b""

    def _coded(self, data: bytes) -> bytes:
        if self._frames:
            data = b"".join(compressed(data))
        if self._gzip is None:
            return data
        return self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)


def decoded(headers: Mapping[str, str], body: bytes) -> bytes:
    """A request's body; aiohttp has undone the codings it knows, LZ4 is left to us. Raises QueryFailed (271)."""
    if headers.get("Content-Encoding", "").lower() != "lz4":
        return body
    reader = lz4.frame.LZ4FrameDecompressor()
    try:
        data: bytes = reader.decompress(body, max_length=BODY_MOST)
    except RuntimeError as error:
        raise query_failed(CANNOT_DECOMPRESS, f"the body is not LZ4: {error}. (CANNOT_DECOMPRESS)") from None
    if not reader.eof:
        raise query_failed(
            CANNOT_DECOMPRESS, f"the body is cut short or over {BODY_MOST >> 20} MiB. (CANNOT_DECOMPRESS)"
        )
    return data
