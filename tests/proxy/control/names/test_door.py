"""The DNS door on real sockets: the library's resolver, other resolvers behind it, and the one of the C library."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.asyncresolver
import dns.message
import dns.rcode
import pytest

from proxy.control.names.door import NamesDoor
from proxy.control.names.upstream import resolvers_of
from proxy.control.registry import Registry
from tests.proxy.control.names.test_answer import at, registry
from tests.world import meshes, namespaces
from tests.world.control import Mesh
from tests.world.processes import free_port

PATIENCE_S = 20.0


@contextlib.asynccontextmanager
async def door(made: Registry) -> AsyncIterator[tuple[NamesDoor, int]]:
    opened = NamesDoor("127.0.0.1:0", lambda: made, Path("/nonexistent"))
    port = await opened.open()
    try:
        yield opened, port
    finally:
        await opened.close()


def others(port: int) -> Registry:
    """A mesh that leaves what it does not know to the resolver on this port."""
    return registry(upstreams=[f"127.0.0.1:{port}"])


def crowd(number: int) -> dict[str, Any]:
    return meshes.service("crowd", *(at(f"crowd-{n}", f"10.1.{n // 250}.{n % 250 + 1}:80") for n in range(number)))


async def asked(port: int, name: str, kind: str = "A", **how: Any) -> dns.message.Message:
    return await dns.asyncquery.udp(dns.message.make_query(name, kind, **how), "127.0.0.1", PATIENCE_S, port)


async def test_a_resolver_finds_services_over_udp_and_tcp() -> None:
    async with door(registry(crowd(300))) as (_, port):
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], port, PATIENCE_S
        assert len(await resolver.resolve("crowd.mesh", "A")) == 300, "truncated, and asked again over TCP"
        assert len(await resolver.resolve("crowd.mesh", "A", tcp=True)) == 300
        with pytest.raises(dns.asyncresolver.NXDOMAIN):
            await resolver.resolve("nobody.mesh", "A")
        with pytest.raises(dns.asyncresolver.NoAnswer):
            await resolver.resolve("crowd.mesh", "AAAA")


async def test_what_the_mesh_does_not_know_is_asked_of_others() -> None:
    async with door(registry(crowd(200), suffix="other")) as (_, behind), door(others(behind)) as (_, port):
        answered = await asked(port, "crowd.other", use_edns=0, payload=100)
        assert answered.flags & dns.flags.TC
        query = dns.message.make_query("crowd.other", "A")
        whole = await dns.asyncquery.tcp(query, "127.0.0.1", PATIENCE_S, port)
        assert len(whole.answer[0]) == 200
        assert (await asked(port, "nobody.other")).rcode() == dns.rcode.NXDOMAIN
        assert (await asked(port, "cart")).answer


async def test_without_others_what_is_foreign_is_refused_and_with_deaf_ones_it_fails() -> None:
    async with door(registry()) as (_, port):
        assert (await asked(port, "example.com")).rcode() == dns.rcode.REFUSED
    async with door(others(free_port())) as (_, port):
        assert (await asked(port, "example.com")).rcode() == dns.rcode.SERVFAIL
        assert (await asked(port, "cart")).rcode() == dns.rcode.NOERROR


async def test_only_so_many_questions_wait_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.control.names.upstream.AT_ONCE", 0)
    async with door(others(1)) as (_, port):
        assert (await asked(port, "example.com")).rcode() == dns.rcode.SERVFAIL


async def test_nonsense_disturbs_nobody() -> None:
    async with door(registry()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x00\x03abc")
        assert await reader.read() == b"", "what is no query ends the connection"
        writer.close()
        await writer.wait_closed()
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port)
        )
        for junk in (b"", b"\xff" * 500, bytes(range(256))):
            transport.sendto(junk)
        assert (await asked(port, "cart")).answer
        transport.close()


async def test_so_many_connections_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.control.names.door._CONNECTIONS", 1)
    async with door(registry()) as (_, port):
        query = dns.message.make_query("cart", "A").to_wire()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(len(query).to_bytes(2) + query)
            length = int.from_bytes(await reader.readexactly(2))
            assert dns.message.from_wire(await reader.readexactly(length)).answer
        second, other = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionResetError):
            assert await second.read() == b""
        for each in (writer, other):
            each.close()
            with contextlib.suppress(ConnectionResetError):
                await each.wait_closed()


def test_the_resolvers_of_before_are_read_without_our_own_door(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(
        "# nameserver 1.1.1.1\nsearch corp\nnameserver 127.0.0.1\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\n"
    )
    assert resolvers_of(file, "127.0.0.1:53") == ("10.0.0.2:53", "[fe80::1]:53")
    assert resolvers_of(tmp_path / "none", "127.0.0.1:53") == ()


LOOK_UP = """
import socket
for name in ("cart", "cart.mesh"):
    print(*sorted(each[4][0] for each in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)))
try:
    socket.getaddrinfo("nobody.mesh", 80)
except socket.gaierror as error:
    print(error.errno == socket.EAI_NONAME)
"""


@pytest.mark.skipif(namespaces.lacking() is not None, reason=str(namespaces.lacking()))
def test_applications_find_services_by_the_resolver_they_have(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path)
    mesh.write(meshes.service("cart", at("cart-1", "10.0.0.1:80"), at("cart-2", "10.0.0.2:80")))
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.1\noptions attempts:5\n")
    with namespaces.own_network(), mesh.control("--dns", "127.0.0.1:53"):
        bound = ["unshare", "--mount", "sh", "-ec", 'mount --bind "$0" /etc/resolv.conf; exec "$@"', str(conf)]
        said = subprocess.run(
            [*bound, sys.executable, "-c", LOOK_UP], capture_output=True, text=True, check=True, timeout=120
        )
    assert said.stdout.splitlines() == ["10.0.0.1 10.0.0.2", "10.0.0.1 10.0.0.2", "True"]
