"""The pure parts of the native door: numbers, frames, blocks, and any bytes at all."""

from __future__ import annotations

import asyncio
import struct

import pytest
import zstandard
from clickhouse_driver.compression.lz4 import Compressor, Decompressor
from hypothesis import given
from hypothesis import strategies as st

from collector.store.columns import native_heading
from collector.store.doors import compress
from collector.store.doors import protocol as p
from collector.store.doors.incoming import Incoming, whole_block
from collector.store.wire import string, varint

BLOCK = b"\x01\x02\x01a\x05UInt8\x07\x08"
INFO = p.block_info(p.REVISION)


def incoming(data: bytes) -> Incoming:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return Incoming(reader, frozenset({"max_threads"}))


@given(st.integers(0, 2**64 - 1))
async def test_a_number_is_read_as_it_was_written(value: int) -> None:
    assert await incoming(varint(value)).varint() == value


@given(st.text(st.characters(codec="utf-8")))
async def test_a_text_is_read_as_it_was_written(text: str) -> None:
    assert await incoming(string(text)).text() == text


@given(st.binary(min_size=1, max_size=5000), st.sampled_from(["", "LZ4", "zstd", "None", "LZ4HC", "Delta"]))
def test_a_frame_is_unwrapped_to_what_was_wrapped(data: bytes, method: str) -> None:
    frame = b"".join(compress.compressed(data, compress.method_named(method)))
    assert compress.frame_size(frame[: compress.HEAD]) == len(frame)
    assert compress.raw_bytes(frame) == data


def test_frames_are_cut_at_a_mebibyte() -> None:
    data = bytes(range(256)) * 10_000
    frames = list(compress.compressed(data))
    assert len(frames) == 3
    assert b"".join(map(compress.raw_bytes, frames)) == data


def test_frames_are_those_of_another_implementation() -> None:
    written = Compressor()
    written.write(BLOCK)
    body = bytes([compress.LZ4]) + written.get_compressed_data(1)
    assert compress.raw_bytes(compress.checksum(body) + body) == BLOCK
    assert Decompressor.method_byte == compress.LZ4


def test_zstd_frames_are_read() -> None:
    payload = zstandard.ZstdCompressor().compress(BLOCK)
    assert compress.raw_bytes(_frame(compress.ZSTD, payload, len(BLOCK))) == BLOCK


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (b"\0" * 16 + struct.pack("<BII", 0x82, 10, 1) + b"x", "checksum"),
        (lambda: _frame(0x55, b"x", 1), "0x55"),
        (lambda: _frame(compress.LZ4, b"\xff\xff\xff", 10), "cannot be decompressed"),
        (lambda: _frame(compress.ZSTD, zstandard.ZstdCompressor().compress(b"x" * 100), 7), "disagree"),
        (lambda: _frame(compress.ZSTD, b"xxxxxxx", 7), "cannot be decompressed"),
    ],
    ids=["damaged", "unknown method", "bad lz4", "lying zstd", "bad zstd"],
)
def test_a_bad_frame_says_what_is_wrong(frame: object, says: str) -> None:
    with pytest.raises(p.BadPacket, match=says):
        compress.raw_bytes(frame() if callable(frame) else frame)  # type: ignore[arg-type]


def test_a_frame_that_claims_gigabytes_is_refused_before_it_is_read() -> None:
    with pytest.raises(p.BadPacket, match="out of bounds"):
        compress.frame_size(bytes(16) + struct.pack("<BII", 0x82, 100, 1 << 31))


def test_a_block_is_found_behind_its_info_once_it_is_whole() -> None:
    whole = INFO + BLOCK
    for length in range(len(whole)):
        assert whole_block(whole[:length], p.REVISION) is None
    found = whole_block(whole + b"next", p.REVISION)
    assert found is not None
    assert (found.data, found.stop) == (BLOCK, len(whole))


@pytest.mark.parametrize("squeeze", [False, True])
async def test_blocks_follow_each_other(squeeze: bool) -> None:
    def packet(block: bytes) -> bytes:
        data = INFO + block
        return string("") + (b"".join(compress.compressed(data)) if squeeze else data)

    reader = incoming(packet(BLOCK) + packet(p.EMPTY_BLOCK))
    assert await reader.data(p.REVISION, compressed=squeeze) == BLOCK
    assert await reader.data(p.REVISION, compressed=squeeze) == p.EMPTY_BLOCK


def test_a_heading_is_a_block_without_rows() -> None:
    heading = native_heading([("a", "UInt8"), ("größe", "Map(String, UInt64)")])
    found = whole_block(INFO + heading, p.REVISION)
    assert found is not None
    assert found.data == heading


async def test_settings_of_old_clients_are_read_by_their_type() -> None:
    old = p.SETTINGS_AS_STRINGS - 1
    settings = string("max_threads") + varint(3) + string("join_algorithm") + string("hash") + string("")
    query = string("id") + b"\x00" + settings + varint(2) + varint(0) + string("SELECT 1")
    read = await incoming(query).query(old)
    assert read.settings == {"max_threads": ("3", True), "join_algorithm": ("hash", True)}
    assert (read.sql, read.stage, read.compressed) == ("SELECT 1", p.COMPLETE, False)


@given(st.binary(max_size=400), st.sampled_from([p.REVISION, 54412, 54032]))
async def test_any_bytes_are_a_packet_or_an_error(data: bytes, revision: int) -> None:
    for read in (
        Incoming.greeting,
        lambda reader: reader.query(revision),
        lambda reader: reader.data(revision, compressed=False),
        lambda reader: reader.data(revision, compressed=True),
        Incoming.tables_asked,
    ):
        try:
            await read(incoming(data))
        except (p.BadPacket, EOFError):
            continue


@given(st.binary(max_size=200), st.integers(0, 255), st.integers(0, 300))
def test_any_frame_is_data_or_an_error(payload: bytes, method: int, raw: int) -> None:
    for chosen in (method, compress.LZ4, compress.ZSTD):
        try:
            assert len(compress.raw_bytes(_frame(chosen, payload, raw))) == raw
        except p.BadPacket:
            continue


def _frame(method: int, payload: bytes, raw: int) -> bytes:
    body = compress.HEADER.pack(method, compress.HEADER.size + len(payload), raw) + payload
    return compress.checksum(body) + body
