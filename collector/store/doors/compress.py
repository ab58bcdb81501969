"""Wraps blocks into ClickHouse's compressed frames, and unwraps them.

A frame is a checksum of 16 bytes, then method (1 byte), size with these 9 bytes (4), raw size (4), payload.
The checksum is CityHash128 of version 1.0.2 over everything behind it, its high half first.
Source: ClickHouse, src/Compression/CompressedWriteBuffer.cpp and ICompressionCodec.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Final

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from collector.store.doors.protocol import BadPacket

LZ4: Final = 0x82
ZSTD: Final = 0x90
NONE: Final = 0x02
CHECKSUM: Final = struct.Struct("<QQ")
HEADER: Final = struct.Struct("<BII")
HEAD: Final = CHECKSUM.size + HEADER.size
FRAME_RAW: Final = 1 << 20
FRAME_MOST: Final = 64 << 20
_LOW: Final = (1 << 64) - 1


def compressed(data: bytes, method: int = LZ4) -> Iterator[bytes]:
    """`data` as frames of at most 1 MiB before compression."""
    for start in range(0, len(data), FRAME_RAW):
        raw = data[start : start + FRAME_RAW]
        payload = _COMPRESS[method](raw)
        body = HEADER.pack(method, HEADER.size + len(payload), len(raw)) + payload
        yield checksum(body) + body


def method_named(name: str) -> int:
    """Of the setting network_compression_method; the usual one for names that are not spoken here."""
    return _NAMED.get(name.upper(), LZ4)


def frame_size(head: bytes) -> int:
    """Whole length of the frame whose first 25 bytes are `head`. Raises BadPacket."""
    _, size, raw = HEADER.unpack_from(head, CHECKSUM.size)
    if not HEADER.size <= size <= FRAME_MOST or raw > FRAME_MOST:
        raise BadPacket(f"a compressed frame of {size} bytes for {raw} is out of bounds")
    return int(CHECKSUM.size + size)


def raw_bytes(frame: bytes) -> bytes:
    """The data of one whole frame. Raises BadPacket when it is damaged or of an unknown method."""
    body = frame[CHECKSUM.size :]
    if checksum(body) != frame[: CHECKSUM.size]:
        raise BadPacket("a compressed frame has another checksum than its data")
    method, _, raw = HEADER.unpack_from(body)
    payload = body[HEADER.size :]
    if method not in _DECOMPRESS:
        raise BadPacket(f"compression method 0x{method:02x} is not spoken here; use LZ4, ZSTD or none")
    try:
        data = _DECOMPRESS[method](payload, raw)
    except (lz4.block.LZ4BlockError, zstandard.ZstdError) as error:
        raise BadPacket(f"a compressed frame cannot be decompressed: {error}") from None
    if len(data) != raw:
        raise BadPacket(f"a compressed frame holds {len(data)} bytes, not {raw} as it says")
    return data


def checksum(body: bytes) -> bytes:
    """16 bytes over a frame's header and payload."""
    value = CityHash128(body)
    return CHECKSUM.pack(value >> 64, value & _LOW)


def _lz4(payload: bytes, raw: int) -> bytes:
    data: bytes = lz4.block.decompress(payload, uncompressed_size=raw)
    return data


def _zstd(payload: bytes, raw: int) -> bytes:
    # A size in ZSTD's own header would win over `max_output_size`.
    if zstandard.frame_content_size(payload) not in (-1, raw):
        raise BadPacket("a compressed frame and its ZSTD header disagree about the size")
    return zstandard.ZstdDecompressor().decompress(payload, max_output_size=raw)


def _none(payload: bytes, _: int) -> bytes:
    return payload


def _lz4_of(raw: bytes) -> bytes:
    payload: bytes = lz4.block.compress(raw, store_size=False)
    return payload


def _zstd_of(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(raw)


_NAMED: Final = {"LZ4": LZ4, "ZSTD": ZSTD, "NONE": NONE}
_COMPRESS: Final[dict[int, Callable[[bytes], bytes]]] = {NONE: bytes, LZ4: _lz4_of, ZSTD: _zstd_of}
_DECOMPRESS: Final = {NONE: _none, LZ4: _lz4, ZSTD: _zstd}
