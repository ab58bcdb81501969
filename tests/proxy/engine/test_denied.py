"""A certificate that is denied while connections are open by it: all of them end, whatever is spoken on them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web

from proxy._engine import SnapshotRefused
from proxy.snapshot import Listener, Outbound, Trust
from tests.proxy.engine.secured import callee, caller
from tests.proxy.engine.test_tunnels import shout
from tests.world.apps import app, dial, talker, websocket_echo
from tests.world.engines import Sidecar
from tests.world.identities import Issuer, serial_of
from tests.world.otlp_sink import PATIENCE_S, OtlpSink, eventually
from tests.world.processes import free_port


@dataclass
class Two:
    """A caller and a callee; `who` of them is to be denied, by the other one."""

    front: Sidecar
    back: Sidecar
    issuer: Issuer
    serials: dict[str, str]

    async def deny(self, who: str) -> None:
        other = self.back if who == "front" else self.front
        await other.apply(trust=self.issuer.trust(self.serials[who]))

    async def nothing_is_open(self) -> None:
        """Between the two, as the callee sees it."""
        await eventually(
            lambda: self.back.stats()["connections"]["inbound"] == 0, lambda: str(self.back.stats()["connections"])
        )


@contextlib.asynccontextmanager
async def two(sink: OtlpSink, at: str, protocol: str, listen: str = "") -> AsyncIterator[Two]:
    issuer = Issuer()
    shows = {name: issuer.identity(name) for name in ("front", "back")}
    serials = {name: serial_of(chain) for name, (_, chain) in shows.items()}
    more = {"outbound": outbound(listen)} if listen else {}
    async with (
        callee(sink, issuer, at=at, shows=shows["back"], inbound={"protocol": protocol} if listen else {}) as back,
        caller(sink, issuer, back, shows=shows["front"], protocol=protocol, **more) as front,
    ):
        yield Two(front, back, issuer, serials)


def outbound(listen: str) -> Outbound:
    return Outbound(listen=f"127.0.0.1:{free_port()}", listeners=(Listener(listen=listen, service="back"),))


@pytest.mark.parametrize("who", ["front", "back"])
@pytest.mark.parametrize("protocol", ["http1", "http2"])
async def test_a_request_under_way_ends_and_so_does_its_connection(
    sink: OtlpSink, session: aiohttp.ClientSession, protocol: str, who: str
) -> None:
    arrived, answer = asyncio.Event(), asyncio.Event()

    async def hold(request: web.Request) -> web.StreamResponse:
        arrived.set()
        await answer.wait()
        return web.Response()

    async with app(hold) as at, two(sink, at, protocol) as mesh:
        url = "http://back/"
        asking = asyncio.create_task(session.get(url, proxy=mesh.front.proxy))
        await asyncio.wait_for(arrived.wait(), PATIENCE_S)
        await mesh.deny(who)
        answered = await asyncio.wait_for(asking, PATIENCE_S)
        answered.close()
        assert answered.status == 502
        await mesh.nothing_is_open()
        answer.set()
        async with session.get(url, proxy=mesh.front.proxy) as response:
            again = response.headers["mesh-reason"]
        if who == "front":
            assert again in ("tls_refused", "upstream_reset"), "over HTTP/2 an alert is not told from another end"
            (served, *_) = await sink.wait(1, "back", "server")
            assert served["mesh.reason"] == "tls_denied"
            assert mesh.back.stats()["refused"]["tls_denied"] >= 1
        else:
            assert (answered.headers["mesh-reason"], again) == ("tls_denied", "tls_denied")


@pytest.mark.parametrize("protocol", ["http1", "http2"])
async def test_a_connection_on_which_nothing_happens_ends_too(
    sink: OtlpSink, session: aiohttp.ClientSession, protocol: str
) -> None:
    async with two(sink, "", protocol) as mesh:
        async with session.get("http://back/", proxy=mesh.front.proxy) as response:
            assert response.status == 200
        assert mesh.back.stats()["connections"]["inbound"] == 1
        await mesh.back.apply(trust=mesh.issuer.trust("0a1b"))
        async with session.get("http://back/", proxy=mesh.front.proxy) as response:
            assert response.status == 200, "another one is denied"
        await mesh.deny("front")
        await mesh.nothing_is_open()


@pytest.mark.parametrize("who", ["front", "back"])
async def test_a_tunnel_ends_at_both_sides(sink: OtlpSink, who: str) -> None:
    listen = f"127.0.0.1:{free_port()}"
    async with talker(shout) as at, two(sink, at, "tcp", listen) as mesh, dial(listen) as (reader, writer):
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), PATIENCE_S) == b"HELLO"
        await mesh.deny(who)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
        await mesh.nothing_is_open()
        teller = {"front": ("back", "server"), "back": ("front", "client")}[who]
        (span,) = await sink.wait(1, *teller)
        assert span["mesh.reason"] == "tls_denied"


@pytest.mark.parametrize("who", ["front", "back"])
async def test_a_websocket_ends(sink: OtlpSink, session: aiohttp.ClientSession, who: str) -> None:
    async with app(websocket_echo) as at, two(sink, at, "http1") as mesh:
        async with session.ws_connect("http://back/ws", proxy=mesh.front.proxy) as socket:
            await socket.send_str("one")
            assert await socket.receive_str() == "ONE"
            await mesh.deny(who)
            ended = await asyncio.wait_for(socket.receive(), PATIENCE_S)
            assert ended.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
        teller = {"front": ("back", "server"), "back": ("front", "client")}[who]
        (span,) = await sink.wait(1, *teller)
        assert span["mesh.reason"] == "tls_denied"


async def test_a_list_counts_that_its_issuer_signed_however_old_and_no_other(sink: OtlpSink) -> None:
    listen = f"127.0.0.1:{free_port()}"
    async with talker(shout) as at, two(sink, at, "tcp", listen) as mesh, dial(listen) as (reader, writer):
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), PATIENCE_S) == b"HELLO"
        issuer, serial = mesh.issuer, mesh.serials["front"]
        domains = issuer.trust().domains
        forged = Trust(domains=domains, crls={issuer.domain: (issuer.denying(serial, signed_by=Issuer()),)})
        with pytest.raises(
            SnapshotRefused, match=r"trust\.crls\.mesh\.local\[0\].*signature is not that of the issuer"
        ):
            await mesh.back.apply(trust=forged)
        foreign = Trust(domains=domains, crls={issuer.domain: (Issuer().denying(serial),)})
        with pytest.raises(SnapshotRefused, match=r"trust\.crls\.mesh\.local\[0\].*no root of this trust domain"):
            await mesh.back.apply(trust=foreign)
        writer.write(b"again")
        assert await asyncio.wait_for(reader.readexactly(5), PATIENCE_S) == b"AGAIN", "the last good one is in force"
        old = issuer.denying(serial, since=datetime.now(UTC) - timedelta(days=400))
        await mesh.back.apply(trust=Trust(domains=domains, crls={issuer.domain: (old,)}))
        await mesh.nothing_is_open()
