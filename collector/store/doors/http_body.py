"""Takes the codings off a request's body: the content coding, then ClickHouse's own frames (`decompress=1`).

In: a body as it was sent. Out: the bytes that were meant. Never: more than BODY_MOST, however small the body was.
"""

import zlib
from collections.abc import Callable
from typing import Final

import lz4.frame
import zstandard

from collector.store.doors import compress
from collector.store.doors.protocol import BadPacket
from collector.store.errors import TOO_MANY_BYTES, QueryFailed, query_failed

NOT_IMPLEMENTED: Final = 48
CANNOT_DECOMPRESS: Final = 271
BODY_MOST: Final = 64 << 20
# What ZSTD makes of so much is bounded, also where it does not say how much that is.
_PIECE: Final = 1 << 10
_WINDOW_MOST: Final = 8 << 20


def plain(body: bytes, coding: str, *, frames: bool) -> bytes:
    """Raises QueryFailed (271) when the body is damaged or cut short, (48) for another coding, (307) over BODY_MOST."""
    coding = coding.strip().lower()
    if coding not in ("", "identity"):
        if coding not in _DECODED:
            raise query_failed(
                NOT_IMPLEMENTED,
                f"Unknown compression method: {coding}; send {', '.join(_DECODED)} or none. (NOT_IMPLEMENTED)",
            )
        try:
            body = _DECODED[coding](body)
        except (zlib.error, zstandard.ZstdError, RuntimeError) as error:
            raise _damaged(f"the body is not {coding}: {error}") from None
    return _framed(body) if frames else body


def _zlib(body: bytes, window: int) -> bytes:
    data = b""
    while body:  # files that were put one behind the other are one
        stream = zlib.decompressobj(window)
        data += stream.decompress(body, BODY_MOST - len(data) + 1)
        _bound(len(data))
        if not stream.eof:
            raise _damaged("the body is cut short")
        body = stream.unused_data
    return data


def _zstd(body: bytes) -> bytes:
    data, at = bytearray(), 0
    stream = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MOST).decompressobj()
    while at < len(body) and not stream.eof:
        data += stream.decompress(body[at : at + _PIECE])
        at += _PIECE
        _bound(len(data))
    if not stream.eof:
        raise _damaged("the body is cut short")
    return bytes(data)


def _lz4(body: bytes) -> bytes:
    stream = lz4.frame.LZ4FrameDecompressor()
    data: bytes = stream.decompress(body, max_length=BODY_MOST + 1)
    _bound(len(data))
    if not stream.eof:
        raise _damaged("the body is cut short")
    return data


def _framed(body: bytes) -> bytes:
    data, at = bytearray(), 0
    try:
        while at < len(body):
            head = body[at : at + compress.HEAD]
            if len(head) < compress.HEAD:
                raise _damaged("the body is cut short")
            end = at + compress.frame_size(head)
            data += compress.raw_bytes(body[at:end])
            at = end
            _bound(len(data))
    except BadPacket as error:
        raise _damaged(str(error)) from None
    return bytes(data)


def _bound(size: int) -> None:
    if size > BODY_MOST:
        raise query_failed(
            TOO_MANY_BYTES, f"the body is over {BODY_MOST >> 20} MiB; send several requests. (TOO_MANY_BYTES)"
        )


def _damaged(why: str) -> QueryFailed:
    return query_failed(CANNOT_DECOMPRESS, f"{why}. (CANNOT_DECOMPRESS)")


_DECODED: Final[dict[str, Callable[[bytes], bytes]]] = {
    "zstd": _zstd,
    "lz4": _lz4,
    "gzip": lambda body: _zlib(body, 31),
    "x-gzip": lambda body: _zlib(body, 31),
    "deflate": lambda body: _zlib(body, 15),
}
