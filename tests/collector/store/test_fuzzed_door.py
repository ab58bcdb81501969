"""The native door against clients that speak almost the protocol: it goes on serving others, and holds little."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_driver import Client

from collector.store.doors import compress
from collector.store.doors import protocol as p
from collector.store.wire import string, varint
from tests.world.processes import until
from tests.world.stores import ServedStore

HELLO = varint(p.Client.HELLO) + string("fuzz") + varint(1) * 2 + varint(p.REVISION) + string("otel")
HELLO += string("default") + string("")
INFO = p.block_info(p.REVISION)
END = varint(p.Client.DATA) + string("") + INFO + p.EMPTY_BLOCK
ENDLESS = b"\xff" * 4096
HUGE = varint(2**62)


def query(sql: str, *, squeezed: bool = False, stage: int = p.COMPLETE) -> bytes:
    info = b"\x01" + string("") * 3 + b"\x01" + string("") * 3 + varint(1) * 2 + varint(p.REVISION) + string("")
    info += b"\x00\x00"
    head = varint(p.Client.QUERY) + string("") + info + string("") + string("")
    return head + varint(stage) + varint(squeezed) + string(sql)


def frame(method: int, size: int, raw: int, payload: bytes = b"") -> bytes:
    body = struct.pack("<BII", method, size, raw) + payload
    return compress.checksum(body) + body


DATA = varint(p.Client.DATA) + string("")
INSERT = query("INSERT INTO mesh_alerts (Error) VALUES")
HOSTILE = {
    "nothing": b"",
    "endless number": ENDLESS,
    "endless number as a packet": HELLO + ENDLESS,
    "a name of exabytes": varint(p.Client.HELLO) + HUGE,
    "a query before the greeting": query("SELECT 1") + END,
    "two greetings": HELLO + HELLO,
    "an answer instead of a question": HELLO + varint(p.Server.HELLO) + p.exception(1, "x"),
    "data without a query": HELLO + END,
    "a query of exabytes": HELLO + query("")[:-1] + HUGE,
    "a query within a query": HELLO + query("SELECT 1") + query("SELECT 1") + END,
    "settings without end": HELLO + varint(p.Client.QUERY) + string("") + b"\x00" + (string("a") + b"\x00\x00") * 2000,
    "a table of exabytes": HELLO + query("SELECT 1") + varint(p.Client.DATA) + HUGE,
    "columns without number": HELLO + query("SELECT 1") + DATA + INFO + HUGE + HUGE,
    "rows without number": HELLO + query("SELECT 1") + DATA + INFO + varint(1) + HUGE + string("a") + string("UInt64"),
    "a type that nests": HELLO + query("SELECT 1") + DATA + INFO + b"\x01\x01" + string("a") + string("Array(" * 2000),
    "an unknown block info": HELLO + query("SELECT 1") + DATA + b"\x63",
    "tables asked without number": HELLO + varint(p.Client.TABLES_STATUS) + HUGE,
    "a frame of gigabytes": HELLO + query("SELECT 1", squeezed=True) + DATA + frame(compress.LZ4, 1 << 31, 1 << 31),
    "a frame that is a bomb": HELLO + query("", squeezed=True) + DATA + frame(compress.LZ4, 20, 64 << 20, b"\x1f" * 11),
    "a frame that lies": HELLO + query("SELECT 1", squeezed=True) + DATA + bytes(64),
    "cancel alone": HELLO + varint(p.Client.CANCEL) * 1000,
    "a share of a query": HELLO + query("SELECT 1", stage=1) + END,
    "an insert cut short": HELLO + INSERT + END + DATA + INFO + varint(1) + varint(9) + string("Error"),
}


@pytest.mark.parametrize("sent", HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_the_protocol_ends_its_own_connection(served: ServedStore, sent: bytes) -> None:
    with bystander(served) as other:
        before = _rss()
        answer = exchange(served, sent)
        assert _rss() - before < 300 << 20
        assert answer == b"" or answer[0] in (p.Server.HELLO, p.Server.EXCEPTION)
        assert other.execute("SELECT 1") == [(1,)]


def test_what_breaks_the_protocol_is_answered_by_an_error_with_a_code(served: ServedStore) -> None:
    for name in ("endless number as a packet", "a query within a query", "an unknown block info", "a frame that lies"):
        answer = exchange(served, HOSTILE[name])
        assert b"DB::Exception: " in answer, name
        assert b"(UNEXPECTED_PACKET_FROM_CLIENT)" in answer, name


def test_a_good_conversation_damaged_anywhere_disturbs_nobody(served: ServedStore) -> None:
    good = HELLO + query("SELECT 1") + END + varint(p.Client.PING) + query("SELECT 2") + END
    seeded = random.Random(7)
    with bystander(served) as other:
        for _ in range(150):
            damaged = bytearray(good[: seeded.randrange(1, len(good) + 1)])
            for _ in range(seeded.randrange(4)):
                damaged[seeded.randrange(len(damaged))] = seeded.randrange(256)
            exchange(served, bytes(damaged))
        assert other.execute("SELECT 1") == [(1,)]
    until(lambda: served.running_queries() == 0, "no query to be left")


@contextlib.contextmanager
def bystander(served: ServedStore) -> Iterator[Client]:
    with served.client() as client:
        client.execute("SELECT 1")
        yield client


def exchange(served: ServedStore, sent: bytes) -> bytes:
    """What comes back until the door closes the connection, which it does at the latest when nothing more is sent."""
    answer = b""
    with (
        socket.create_connection(("127.0.0.1", served.native_port), timeout=20) as peer,
        contextlib.suppress(ConnectionError),
    ):
        peer.sendall(sent)
        peer.shutdown(socket.SHUT_WR)
        while part := peer.recv(65536):
            answer += part
    return answer


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
