"""Targets of an SRV record are instances for as long as the record has them, and while nobody answers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import dns.message
import dns.rcode
import pytest

from proxy.control.discovery.srv import Unanswered, targets
from tests.world import meshes
from tests.world.control import Mesh
from tests.world.processes import until

RECORD = "_http._tcp.cart.example.com"


class Zone(asyncio.DatagramProtocol):
    """A resolver on a loopback port that knows one record; `lines` is its data, None for a resolver that fails."""

    def __init__(self) -> None:
        self.lines: tuple[str, ...] | None = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        if self.lines is None:
            response.set_rcode(dns.rcode.SERVFAIL)
        for line in self.lines or ():
            name = query.question[0].name
            found = response.find_rrset(response.answer, name, 1, 33, create=True)
            found.add(dns.rdata.from_text("IN", "SRV", line))
        self._transport.sendto(response.to_wire(), addr)


@contextlib.contextmanager
def zone() -> Iterator[tuple[Zone, str]]:
    """The resolver and its address, up while the block runs."""
    loop, known = asyncio.new_event_loop(), Zone()
    transport, _ = loop.run_until_complete(loop.create_datagram_endpoint(lambda: known, local_addr=("127.0.0.1", 0)))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield known, f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        transport.close()
        loop.run_until_complete(asyncio.sleep(0))  # closes the socket
        loop.close()


def test_the_targets_of_the_lowest_priority_count() -> None:
    with zone() as (known, address):
        known.lines = ("10 5 8080 B.example.com.", "10 9 8080 a.example.com.", "20 0 80 spare.example.com.")
        assert asyncio.run(targets(RECORD, [address])) == [("a.example.com", 8080), ("b.example.com", 8080)]
        known.lines = ("0 0 0 .",)
        assert asyncio.run(targets(RECORD, [address])) == []
        known.lines = None
        with pytest.raises(Unanswered, match="answered SERVFAIL"):
            asyncio.run(targets(RECORD, [address]))
    with pytest.raises(Unanswered, match="no resolver to ask"):
        asyncio.run(targets(RECORD, []))


def test_instances_come_and_go_with_the_record_and_stay_without_an_answer(tmp_path: Path) -> None:
    with zone() as (known, address):
        known.lines = ("0 0 8080 a.example.com.", "0 0 8080 b.example.com.")
        both = ["cart-a.example.com-8080", "cart-b.example.com-8080"]
        mesh = Mesh(tmp_path)
        settings = meshes.mesh(telemetry={"enabled": False}, dns={"upstreams": [address]})
        front = meshes.service("front", meshes.endpoint("front-1", sidecar=meshes.sidecar(*mesh.side)))

        def write(**cart: str) -> None:
            """Another record is asked for at once."""
            meshes.write(tmp_path / "mesh.yaml", settings, front, meshes.service("cart", **cart))

        write(srv=RECORD)
        with mesh.control() as control:
            until(lambda: mesh.called() == both, "both targets")
            known.lines = ("0 0 8080 b.example.com.",)
            write(srv=f"{RECORD}.new")
            until(lambda: mesh.called() == both[1:], "one to leave")
            known.lines = None
            write(srv=RECORD)
            until(lambda: "answered SERVFAIL; its last instances stay" in control.output(), "no answer")
            assert mesh.called() == both[1:]
            write()
            until(lambda: mesh.called() == [], "all to leave with the record")
