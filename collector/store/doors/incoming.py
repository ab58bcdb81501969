"""Reads a client's side of the native protocol from a socket, with a bound on everything that has a length."""

import asyncio
from dataclasses import dataclass
from typing import Final

from collector._columnar import DecodeError, native_block_length
from collector.store.doors import compress
from collector.store.doors import protocol as p

NAME_MOST: Final = 1 << 14
SQL_MOST: Final = 8 << 20
SETTINGS_MOST: Final = 1000
BLOCK_MOST: Final = 64 << 20
_READ: Final = 1 << 18
_PAUSE_SECONDS: Final = 0.01
# Field number of a block's info -> bytes of its value: 1 is_overflows, 2 bucket_num.
_INFO_FIELDS: Final = {1: 1, 2: 4}


class Incoming:
    """A client's bytes as the values of the protocol. Raises EOFError at the end, BadPacket when they are wrong."""

    def __init__(self, reader: asyncio.StreamReader, numeric_settings: frozenset[str]) -> None:
        self._reader = reader
        self._buffer = bytearray()
        # Before revision 54429 a setting is written as its type says, and the type is not on the wire.
        self._numeric_settings = numeric_settings

    async def exactly(self, count: int) -> bytes:
        """`count` bytes."""
        while len(self._buffer) < count:
            await self._more()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def byte(self) -> int:
        """One byte."""
        return (await self.exactly(1))[0]

    async def varint(self) -> int:
        """An unsigned LEB128 number of at most 64 bits."""
        value = 0
        for shift in range(0, 70, 7):
            part = await self.byte()
            value |= (part & 127) << shift
            if part < 128:
                return value
        raise p.BadPacket("a number is longer than 64 bits")

    async def text(self, most: int = NAME_MOST) -> str:
        """A string of at most `most` bytes."""
        size = await self.varint()
        if size > most:
            raise p.BadPacket(f"a string of {size} bytes where at most {most} are expected")
        try:
            return (await self.exactly(size)).decode()
        except UnicodeDecodeError:
            raise p.BadPacket("a string is not UTF-8") from None

    async def greeting(self) -> p.Greeting:
        """A client's first packet, its type included."""
        kind = await self.varint()
        if kind != p.Client.HELLO:
            raise p.BadPacket(f"the first packet is of type {kind}, not a ClickHouse greeting")
        name = await self.text()
        await self.varint()
        await self.varint()
        revision = min(await self.varint(), p.REVISION)
        return p.Greeting(name, revision, await self.text(), await self.text(), await self.text())

    async def query(self, revision: int) -> p.Query:
        """A query packet behind its type."""
        await self.text()
        if revision >= p.CLIENT_INFO:
            await self._client_info(revision)
        settings = await self._settings(revision)
        if revision >= p.INTERSERVER_SECRET:
            await self.text()
        stage = await self.varint()
        compressed = bool(await self.varint())
        return p.Query(await self.text(SQL_MOST), settings, stage, compressed)

    async def tables_asked(self) -> list[tuple[str, str]]:
        """(database, table) pairs of a tables-status request behind its type."""
        count = await self.varint()
        if count > SETTINGS_MOST:
            raise p.BadPacket(f"a question about {count} tables")
        return [(await self.text(), await self.text()) for _ in range(count)]

    async def data(self, revision: int, *, compressed: bool) -> bytes:
        """The Native block of a Data packet behind its type, without block info.

        One without columns and rows marks the end of what a client sends.
        """
        if revision >= p.TEMPORARY_TABLES:
            await self.text()
        if compressed:
            return await self._compressed_block(revision)
        while (block := whole_block(bytes(self._buffer), revision)) is None:
            self._bound(len(self._buffer))
            await self._much_more()
        del self._buffer[: block.stop]
        return block.data

    async def _compressed_block(self, revision: int) -> bytes:
        """A block may span frames, and its end is known only once it is decompressed."""
        raw = bytearray()
        while (block := whole_block(bytes(raw), revision)) is None:
            self._bound(len(raw))
            head = await self.exactly(compress.HEAD)
            frame = head + await self.exactly(compress.frame_size(head) - len(head))
            raw += compress.raw_bytes(frame)
        return block.data

    async def _client_info(self, revision: int) -> None:
        """Who asks on behalf of whom; nothing of it decides anything here."""
        if await self.byte() == 0:
            return
        for _ in range(3):
            await self.text()
        interface = await self.byte()
        if interface == p.INTERFACE_TCP:
            for _ in range(3):
                await self.text()
            for _ in range(3):
                await self.varint()
        elif interface == p.INTERFACE_HTTP:
            await self.byte()
            for _ in range(1 + (revision >= p.FORWARDED_FOR) + (revision >= p.REFERER)):
                await self.text()
        if revision >= p.QUOTA_KEY:
            await self.text()
        if interface == p.INTERFACE_TCP and revision >= p.VERSION_PATCH:
            await self.varint()
        if revision >= p.OPENTELEMETRY and await self.byte():
            await self.exactly(24)
            await self.text()
            await self.byte()

    async def _settings(self, revision: int) -> dict[str, tuple[str, bool]]:
        settings: dict[str, tuple[str, bool]] = {}
        while name := await self.text():
            if len(settings) == SETTINGS_MOST:
                raise p.BadPacket(f"more than {SETTINGS_MOST} settings")
            if revision >= p.SETTINGS_AS_STRINGS:
                important = bool(await self.varint() & 1)
                settings[name] = (await self.text(SQL_MOST), important)
            elif name in self._numeric_settings:
                settings[name] = (str(await self.varint()), True)
            else:
                settings[name] = (await self.text(SQL_MOST), True)
        return settings

    async def _more(self) -> None:
        data = await self._reader.read(_READ)
        if not data:
            raise EOFError("the client closed the connection")
        self._buffer += data

    async def _much_more(self) -> None:
        """A quarter more than there is, or what comes until the client pauses: looking for a block's end costs
        as much as the bytes before it."""
        wanted = len(self._buffer) * 5 // 4
        await self._more()
        while len(self._buffer) < wanted:
            try:
                await asyncio.wait_for(self._more(), _PAUSE_SECONDS)
            except (TimeoutError, EOFError):
                return

    @staticmethod
    def _bound(size: int) -> None:
        if size > BLOCK_MOST:
            raise p.BadPacket(f"a block of more than {BLOCK_MOST >> 20} MiB; send smaller blocks")


@dataclass(frozen=True)
class Block:
    """A Native block found in a buffer: its bytes without block info, and where it stops there."""

    data: bytes
    stop: int


def whole_block(buffer: bytes, revision: int) -> Block | None:
    """The block that `buffer` begins with, None when it is not whole yet. Raises BadPacket."""
    start = _info_length(buffer) if revision >= p.BLOCK_INFO else 0
    if start is None:
        return None
    data = buffer[start:]
    try:
        length = native_block_length(data)
    except DecodeError as error:
        raise p.BadPacket(f"not a Native block: {error}") from None
    return Block(data[:length], start + length) if length else None


def _info_length(buffer: bytes) -> int | None:
    """Length of the block info: numbered fields, each with a value of known size, closed by 0."""
    at = 0
    while at < len(buffer):
        field = buffer[at]
        if field == 0:
            return at + 1
        if field not in _INFO_FIELDS:
            raise p.BadPacket(f"unknown field {field} in a block's info")
        at += 1 + _INFO_FIELDS[field]
    return None
