"""Connections that the kernel redirects to the proxy, in network namespaces, by both kinds of rules."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from proxy.snapshot import Outbound, Upstream
from tests.proxy.engine.test_tunnels import ended, greet, shout, tunnels
from tests.world.apps import app, echo, head, talker
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.namespaces import assign, connection, lacking, neighbour, own_network
from tests.world.otlp_sink import OtlpSink, otlp_sink
from tests.world.processes import WHYMESH, free_port

LACKING = lacking()
pytestmark = pytest.mark.skipif(LACKING is not None, reason=str(LACKING))

PROXY, APPLICATION = 0, 65_534
HERE, HERE6 = "10.9.0.1", "fd09::1"
TOOLS = ["nftables", "iptables"]
SERVE = """
import http.client, sys
host, port = sys.argv[1:]
call = http.client.HTTPConnection(host, int(port), timeout=10)
call.request("GET", "/a")
print(call.getresponse().status)
"""


@pytest.fixture
def network() -> Iterator[None]:
    """A machine with an address of each family that is not loopback's."""
    with own_network():
        for address in (f"{HERE}/32", f"{HERE6}/128"):
            assign(address, "lo")
        yield


@pytest.fixture
async def sink(network: None) -> AsyncIterator[OtlpSink]:
    async with otlp_sink() as sink:
        yield sink


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rules() -> list[str]:
    """All that are in force, without the tables and chains they stand in, which iptables leaves behind empty."""
    lines = (line.strip() for line in run("nft", "--stateless", "list", "ruleset").splitlines())
    return sorted(line for line in lines if line and not line.startswith(("#", "type ")) and line[-1] not in "{}")


async def intercept(*options: str) -> None:
    await asyncio.to_thread(run, WHYMESH, "intercept", *options)


@contextlib.asynccontextmanager
async def redirected(
    sink: OtlpSink, *calls: Upstream, tool: str = "nftables", host: str = "127.0.0.1", **outbound: Any
) -> AsyncIterator[Sidecar]:
    """A proxy that gets what applications of this machine say to others."""
    listen = f"{host}:{free_port()}"
    ways = Outbound(listen=listen, transparent=True, **outbound)
    async with sidecar("front", calls=calls, telemetry=sink.url, outbound=ways) as front:
        await intercept("--apply", "--tool", tool, "--user", str(PROXY), "--outbound", listen)
        yield front
        await intercept("--remove")


@contextlib.asynccontextmanager
async def dialled(
    address: str, user: int = APPLICATION
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection of the application to where it wants to go, and to nothing else that it knows of."""
    host, _, port = address.rpartition(":")
    made = await asyncio.to_thread(connection, (host.strip("[]"), int(port)), user)
    reader, writer = await asyncio.open_connection(sock=made)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("tool", TOOLS)
async def test_bytes_go_to_the_instance_that_the_application_meant(sink: OtlpSink, tool: str) -> None:
    async with talker(shout, HERE) as address, talker(shout, HERE) as other:
        db = upstream("db", other, address, protocol="tcp")
        async with redirected(sink, db, tool=tool), dialled(address) as (reader, writer):
            writer.write(b"a")
            assert await reader.readexactly(1) == b"A"
        (span,) = await sink.wait(1)
        assert span.name == "tcp db"
        assert span.attributes["mesh.destination.instance"] == "db-2"
        assert f"{span.attributes['server.address']}:{span.attributes['server.port']}" == address


async def test_an_address_of_a_service_means_any_of_its_instances(sink: OtlpSink) -> None:
    async with app(echo) as address:
        shop = upstream("shop", address, addresses=(f"{HERE}:80",))
        async with redirected(sink, shop), dialled(f"{HERE}:80") as (reader, writer):
            writer.write(b"GET /a HTTP/1.1\r\nhost: whatever\r\nconnection: close\r\n\r\n")
            assert (await head(reader)).startswith("HTTP/1.1 200")
        (span,) = await sink.wait(1)
        assert span.attributes["mesh.destination.service"] == "shop"
        assert span.attributes["url.path"] == "/a"


async def test_what_is_outside_the_mesh_is_passed_on_or_denied(sink: OtlpSink) -> None:
    async with talker(shout, HERE) as address, redirected(sink) as front:
        async with dialled(address) as (reader, writer):
            writer.write(b"get / HTTP/1.1\r\n\r\n".upper())
            assert await reader.readexactly(4) == b"GET "
        passed = await ended(front)
        assert (passed["peer"], passed["protocol"]) == ("", "http1")
        assert front.workload.outbound
        await front.change(outbound=front.workload.outbound.model_copy(update={"outside": "deny"}))
        async with dialled(address) as (reader, writer):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        await ended(front, "outside_denied")
        spans = await sink.wait(2)
        assert {span.attributes["server.address"] for span in spans} == {HERE}
        assert [span.attributes.get("mesh.reason") for span in spans] == [None, "outside_denied"]
        assert spans[0].attributes["mesh.detect_us"] >= 0


async def test_a_server_outside_that_speaks_first_is_heard(sink: OtlpSink) -> None:
    async with talker(greet, HERE) as address, redirected(sink), dialled(address) as (reader, _):
        assert await asyncio.wait_for(reader.readline(), 10) == b"220 ready\r\n"


@pytest.mark.parametrize("tool", TOOLS)
async def test_one_listener_takes_both_families_and_nobody_from_elsewhere(sink: OtlpSink, tool: str) -> None:
    async with talker(shout, HERE) as four, talker(shout, HERE6) as six:
        db = upstream("db", four, six, protocol="tcp")
        async with redirected(sink, db, tool=tool, host="[::]") as front:
            for address in (four, six):
                async with dialled(address) as (reader, writer):
                    writer.write(b"a")
                    assert await reader.readexactly(1) == b"A"
            spans = await sink.wait(2)
            assert [span.attributes["mesh.destination.instance"] for span in spans] == ["db-1", "db-2"]
            assert [span.attributes["server.address"] for span in spans] == [HERE, HERE6]
            port = front.proxy.rpartition(":")[2]
            with neighbour(("10.8.0.1/24",), ("10.8.0.2/24",)) as elsewhere:
                reach = [
                    *elsewhere,
                    sys.executable,
                    "-c",
                    "import socket,sys; socket.create_connection(sys.argv[1:], 1)",
                ]
                done = await asyncio.to_thread(subprocess.run, [*reach, "10.8.0.1", port], capture_output=True)
                assert b"TimeoutError" in done.stderr


@pytest.mark.parametrize("tool", TOOLS)
async def test_the_proxys_own_connections_and_loopback_are_left_alone(sink: OtlpSink, tool: str) -> None:
    async with talker(shout, HERE) as address, talker(shout) as local, redirected(sink, tool=tool) as front:
        for to, user in ((address, PROXY), (local, APPLICATION)):
            async with dialled(to, user) as (reader, writer):
                writer.write(b"a")
                assert await reader.readexactly(1) == b"A"
        assert tunnels(front) == []


@pytest.mark.parametrize("tool", TOOLS)
async def test_connections_from_elsewhere_to_the_application_come_by_its_proxy(sink: OtlpSink, tool: str) -> None:
    async with app(echo) as address:
        port = address.rpartition(":")[2]
        listen = f"[::]:{free_port()}"
        async with sidecar("shop", app=address, inbound={"listen": listen, "transparent": True}, telemetry=sink.url):
            await intercept("--apply", "--tool", tool, "--user", str(PROXY), "--inbound", listen, "--app-port", port)
            with neighbour(("10.8.0.1/24", "fd08::1/64"), ("10.8.0.2/24", "fd08::2/64")) as elsewhere:
                for host in ("10.8.0.1", "fd08::1"):
                    call = [*elsewhere, sys.executable, "-c", SERVE, host, port]
                    assert await asyncio.to_thread(run, *call) == "200\n"
            await intercept("--remove")
        spans = await sink.wait(2)
        assert [span.kind for span in spans] == ["server", "server"]
        assert [span.attributes["client.address"] for span in spans] == ["10.8.0.2", "fd08::2"]


@pytest.mark.parametrize("tool", TOOLS)
def test_rules_are_replaced_and_removed_and_those_of_others_stay(network: None, tool: str) -> None:
    for rule in ("OUTPUT -p tcp --dport 9 -j ACCEPT", "PREROUTING -p udp -j ACCEPT"):
        run("iptables", "-t", "nat", "-A", *rule.split())
    for_both = ("--user", "nobody", "--inbound", "[::]:15006", "--app-port", "80", "--outbound", "[::]:15001")
    before = rules()
    run(WHYMESH, "intercept", "--apply", "--tool", tool, *for_both)
    once = rules()
    assert any("15006" in rule for rule in once)
    other = next(each for each in TOOLS if each != tool)
    for each in (tool, other, tool):
        run(WHYMESH, "intercept", "--apply", "--tool", each, *for_both)
    assert rules() == once
    run(WHYMESH, "intercept", "--remove")
    assert rules() == before
