"""The DNS door among hostile bytes and idle connections: every query has an answer or none, and others get theirs."""

from __future__ import annotations

import asyncio
import tracemalloc

import dns.asyncquery
import dns.message
import dns.rcode
import dns.update

from proxy.control.names.answer import PAYLOAD, Foreign, answer, failure
from proxy.control.names.door import NamesDoor
from tests.proxy.control.names.test_answer import DIRECTORY, registry
from tests.world.mutations import mutated

_NAMES = ("cart", "CART.mesh", "cart-1.cart.default.mesh", "_http._tcp.cart", "db", "nobody.mesh", "example.com", ".")
_KINDS = ("A", "AAAA", "SRV", "ANY", "TXT", "SOA", "AXFR", "PTR")
QUERIES = [
    *(
        dns.message.make_query(name, kind, use_edns=edns).to_wire()
        for name in _NAMES
        for kind in _KINDS
        for edns in (-1, 0)
    ),
    dns.update.UpdateMessage("mesh").to_wire(),
    dns.message.make_response(dns.message.make_query("cart", "A")).to_wire(),
    dns.message.make_query("cart", "A").to_wire()[:12] + b"\xc0\x0c\x00\x01\x00\x01",  # a name that is itself
]


def test_thousands_of_broken_queries_have_an_answer_of_their_own_or_none() -> None:
    for wire in mutated(QUERIES, 4_000, seed=6):
        for over_tcp in (False, True):
            said = answer(wire, DIRECTORY, over_tcp)
            if isinstance(said, Foreign):
                said = failure(said.query, dns.rcode.SERVFAIL, over_tcp)
            if said is not None:
                assert (said[:2], said[2] & 0x80) == (wire[:2], 0x80), wire
                assert 12 <= len(said) <= (65_535 if over_tcp else PAYLOAD), wire


def test_nothing_is_kept_of_them() -> None:
    wires = list(mutated(QUERIES, 1_000, seed=7))
    for wire in wires:
        answer(wire, DIRECTORY, False)  # what is made once is made by now
    tracemalloc.start()
    try:
        for wire in wires:
            answer(wire, DIRECTORY, False)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100_000


async def test_idle_and_broken_connections_keep_nobody_from_an_answer() -> None:
    known = registry()
    door = NamesDoor("127.0.0.1:0", lambda: known)
    port = await door.open()
    query = dns.message.make_query("cart", "A")
    hostile = [await asyncio.open_connection("127.0.0.1", port) for _ in range(80)]
    try:
        for number, (_, writer) in enumerate(hostile):
            writer.write(b"\xff\xff" if number % 2 else b"")
        answered = await dns.asyncquery.udp(query, "127.0.0.1", 20, port)
        assert len(answered.answer[0]) == 2
        for _, writer in hostile:
            writer.close()
        async with asyncio.timeout(20):
            while not await _answers_over_tcp(query, port):  # those who hung up make room
                pass
    finally:
        await door.close()


async def _answers_over_tcp(query: dns.message.QueryMessage, port: int) -> bool:
    try:
        answered = await dns.asyncquery.tcp(query, "127.0.0.1", 20, port)
    except (OSError, EOFError):
        return False
    return len(answered.answer[0]) == 2
