"""Packets of ClickHouse's native protocol as bytes, without sockets.

We announce revision 54447: recent enough that settings travel as strings, old enough that there is no
addendum after the greeting, no chunking and no serialization byte in each column.
Source: ClickHouse, src/Core/ProtocolDefines.h, src/Core/Protocol.h, src/Server/TCPHandler.cpp.
"""

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from collector.store.wire import string, varint

REVISION: Final = 54447

# The revision from which a field is on the wire.
BLOCK_INFO: Final = 51903
TEMPORARY_TABLES: Final = 50264
TOTAL_ROWS_IN_PROGRESS: Final = 51554
CLIENT_INFO: Final = 54032
SERVER_TIMEZONE: Final = 54058
QUOTA_KEY: Final = 54060
DISPLAY_NAME: Final = 54372
VERSION_PATCH: Final = 54401
WRITTEN_IN_PROGRESS: Final = 54420
SETTINGS_AS_STRINGS: Final = 54429
INTERSERVER_SECRET: Final = 54441
OPENTELEMETRY: Final = 54442
FORWARDED_FOR: Final = 54443
REFERER: Final = 54447

COMPLETE: Final = 2
INTERFACE_TCP: Final = 1
INTERFACE_HTTP: Final = 2


class Client(IntEnum):
    """First byte of a packet from a client."""

    HELLO = 0
    QUERY = 1
    DATA = 2
    CANCEL = 3
    PING = 4
    TABLES_STATUS = 5
    SCALAR = 7


class Server(IntEnum):
    """First byte of a packet to a client."""

    HELLO = 0
    DATA = 1
    EXCEPTION = 2
    PROGRESS = 3
    PONG = 4
    END_OF_STREAM = 5
    TABLES_STATUS = 9


class BadPacket(Exception):
    """The bytes are not what the protocol has at this place."""


@dataclass(frozen=True)
class Greeting:
    """A client's first packet; `revision` is what both sides speak."""

    name: str
    revision: int
    database: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Query:
    """A client's query; settings by name as (value, must be known)."""

    sql: str
    settings: dict[str, tuple[str, bool]]
    stage: int
    compressed: bool


def hello(revision: int, version: tuple[int, int, int], name: str) -> bytes:
    """The server's greeting: who we are, our revision and time zone, always UTC."""
    out = [varint(Server.HELLO), string("ClickHouse"), varint(version[0]), varint(version[1]), varint(REVISION)]
    if revision >= SERVER_TIMEZONE:
        out.append(string("UTC"))
    if revision >= DISPLAY_NAME:
        out.append(string(name))
    if revision >= VERSION_PATCH:
        out.append(varint(version[2]))
    return b"".join(out)


def exception(code: int, message: str) -> bytes:
    """An error; clients print `message` behind its code."""
    return b"".join(
        [
            varint(Server.EXCEPTION),
            struct.pack("<i", code),
            string("DB::Exception"),
            string(f"DB::Exception: {message}"),
            string(""),
            b"\x00",
        ]
    )


def data_head(revision: int) -> bytes:
    """What stands before a block and is never compressed."""
    return varint(Server.DATA) + (string("") if revision >= TEMPORARY_TABLES else b"")


def block_info(revision: int) -> bytes:
    """What a block begins with: no overflow rows, no bucket."""
    return struct.pack("<BBBiB", 1, 0, 2, -1, 0) if revision >= BLOCK_INFO else b""


def progress(revision: int, rows: int, size: int = 0, *, more: int = 0, written: int = 0) -> bytes:
    """Since the last progress packet: rows and bytes read, `more` rows known to be read in all, rows written."""
    out = varint(Server.PROGRESS) + varint(rows) + varint(size)
    if revision >= TOTAL_ROWS_IN_PROGRESS:
        out += varint(more)
    if revision >= WRITTEN_IN_PROGRESS:
        out += varint(written) + varint(0)
    return out


def tables_status(tables: list[tuple[str, str]]) -> bytes:
    """Answers that every asked table is here and not a replica."""
    out = varint(Server.TABLES_STATUS) + varint(len(tables))
    return out + b"".join(string(database) + string(table) + b"\x00" for database, table in tables)


PONG: Final = varint(Server.PONG)
END_OF_STREAM: Final = varint(Server.END_OF_STREAM)
EMPTY_BLOCK: Final = varint(0) + varint(0)
