"""Proxies encrypt to each other and prove who they are; whoever cannot is refused, each for a reason of its own."""

from __future__ import annotations

import asyncio
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which
from typing import Any

import aiohttp
import pytest
from cryptography import x509

from proxy.snapshot import Listener, Outbound
from tests.proxy.engine.secured import asked, callee, caller, context, files, uris
from tests.proxy.engine.test_tunnels import greet, shout
from tests.world.apps import Talk, dial, talker
from tests.world.certificates import Authority
from tests.world.engines import sidecar, upstream
from tests.world.identities import Issuer, both_trust, serial_of, spiffe_id
from tests.world.otlp_sink import PATIENCE_S, OtlpSink, Seen, eventually
from tests.world.processes import free_port

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


async def refusal(sink: OtlpSink) -> Seen:
    """The span of the connection that the callee did not let in."""
    (span,) = await sink.wait(1, "back", "server")
    return span


async def call(session: aiohttp.ClientSession, proxy: str, path: str = "/", **more: Any) -> tuple[int, str]:
    """Status and reason of one request to `back`."""
    async with session.get(f"http://back{path}", proxy=proxy, **more) as response:
        await response.read()
        return response.status, response.headers.get("mesh-reason", "")


@pytest.mark.parametrize("protocol", ["http1", "http2"])
async def test_both_ends_are_proved_and_say_so(
    sink: OtlpSink, session: aiohttp.ClientSession, issuer: Issuer, protocol: str
) -> None:
    async with callee(sink, issuer) as back, caller(sink, issuer, back, protocol=protocol) as front:
        for _ in range(3):
            assert await call(session, front.proxy) == (200, "")
        sent = await sink.wait(3, "front", "client")
        served = await sink.wait(3, "back", "server")
    assert {span["mesh.tls"] for span in (*sent, *served)} == {"mutual"}
    assert {span["mesh.source.identity"] for span in served} == {spiffe_id("front")}
    assert {span["mesh.source.service"] for span in served} == {"front"}
    assert {span["mesh.destination.identity"] for span in sent} == {spiffe_id("back")}
    encrypting = [span["mesh.time.tls_us"] for span in sent if "mesh.time.tls_us" in span.attributes]
    assert len(encrypting) == 1, "two requests went over the connection of the first"


async def test_a_name_in_a_header_counts_for_nothing_against_a_certificate(
    sink: OtlpSink, session: aiohttp.ClientSession, issuer: Issuer
) -> None:
    shows = issuer.identity("other")
    async with callee(sink, issuer) as back, caller(sink, issuer, back, shows=shows) as front:
        assert await call(session, front.proxy) == (200, "")
        (served,) = await sink.wait(1, "back", "server")
    assert served["mesh.source.service"] == "other"


STRANGERS: dict[str, dict[str, Any]] = {
    "tls_no_certificate": {"names": None},
    "tls_unknown_authority": {"issuer": Issuer()},
    "tls_expired": {"starts": -2 * HOUR, "lasts": -HOUR},
    "tls_not_yet_valid": {"starts": HOUR, "lasts": 2 * HOUR},
    "tls_wrong_trust_domain": {"names": uris(spiffe_id("front", "elsewhere.local"))},
    "tls_two_names": {"names": uris(spiffe_id("front"), spiffe_id("shop"))},
    "tls_bad_certificate": {"names": x509.SubjectAlternativeName([x509.DNSName("front")])},
}


@pytest.mark.parametrize("reason", STRANGERS)
async def test_a_client_that_cannot_prove_itself_is_refused_by_its_fault(
    sink: OtlpSink, issuer: Issuer, tmp_path: Path, reason: str
) -> None:
    made: dict[str, Any] = {"issuer": issuer, "names": uris(spiffe_id("front")), **STRANGERS[reason]}
    async with callee(sink, issuer) as back:
        assert await asked(back.inbound, context(tmp_path, **made)) == b""
        span = await refusal(sink)
        assert span["mesh.reason"] == reason
        assert back.stats()["refused"][reason] == 1
        welcome = context(tmp_path, issuer, uris(spiffe_id("front")))
        assert (await asked(back.inbound, welcome)).startswith(b"HTTP/1.1 200")


@pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("reason", ["tls_no_certificate", "tls_unknown_authority", "tls_handshake_failed"])
async def test_openssl_is_refused_too(sink: OtlpSink, issuer: Issuer, tmp_path: Path, reason: str) -> None:
    async with callee(sink, issuer) as back:
        arguments = ["s_client", "-connect", back.inbound, "-quiet"]
        if reason == "tls_unknown_authority":
            cert, key = files(tmp_path, Issuer(), uris(spiffe_id("front")))
            arguments += ["-cert", str(cert), "-key", str(key)]
        if reason == "tls_handshake_failed":
            arguments += ["-tls1_2"]
        pipe = asyncio.subprocess.PIPE
        client = await asyncio.create_subprocess_exec("openssl", *arguments, stdin=pipe, stdout=pipe, stderr=pipe)
        said, _ = await client.communicate(b"GET / HTTP/1.1\r\nhost: back\r\n\r\n")
        assert b"200" not in said
        assert (await refusal(sink))["mesh.reason"] == reason


async def test_what_is_not_encrypted_is_refused_or_marked(
    sink: OtlpSink, session: aiohttp.ClientSession, issuer: Issuer
) -> None:
    async with callee(sink, issuer) as back:
        async with session.get(f"http://{back.inbound}/") as response:
            assert response.status == 403
            assert response.headers["mesh-reason"] == "plaintext_refused"
        span = await refusal(sink)
        assert (span["mesh.reason"], span["mesh.tls"]) == ("plaintext_refused", "plaintext")
        async with dial(back.inbound) as (reader, writer):
            writer.write(b"\x00\x01\x02\x03")
            assert await reader.read() == b""
    sink.spans.clear()
    async with callee(sink, issuer, tls="permissive") as back, caller(sink, issuer, back) as front:
        async with session.get(f"http://{back.inbound}/") as response:
            assert response.status == 200
        assert await call(session, front.proxy) == (200, "")
        served = await sink.wait(2, "back", "server")
    assert sorted(span["mesh.tls"] for span in served) == ["mutual", "plaintext"]


IMPOSTORS = ("tls_wrong_peer", "tls_unknown_authority", "tls_expired", "tls_denied", "tls_no_identity")


@pytest.mark.parametrize("reason", IMPOSTORS)
async def test_a_callee_that_cannot_prove_itself_gets_no_request(
    sink: OtlpSink, session: aiohttp.ClientSession, issuer: Issuer, reason: str
) -> None:
    shows = issuer.identity("back")
    if reason == "tls_expired":
        shows = issuer.identity("back", starts=-2 * HOUR, lasts=-HOUR)
    elif reason == "tls_unknown_authority":
        shows = Issuer().identity("back")
    trust = issuer.trust(serial_of(shows[1])) if reason == "tls_denied" else issuer.trust()
    means = "pay" if reason == "tls_wrong_peer" else "back"
    async with callee(sink, issuer, shows=shows) as back:
        if reason == "tls_no_identity":
            to = upstream("back", back.endpoint, identity=spiffe_id("back"))
            own = sidecar("front", calls=(to,), telemetry=sink.url, trust=trust)
        else:
            own = caller(sink, issuer, back, trust=trust, means=means)
        async with own as front:
            assert await call(session, front.proxy) == (502, reason)
            (sent,) = await sink.wait(1, "front", "client")
            assert sent["mesh.reason"] == reason


async def test_a_caller_learns_that_its_certificate_was_refused(
    sink: OtlpSink, session: aiohttp.ClientSession, issuer: Issuer
) -> None:
    shows = issuer.identity("front", starts=-2 * HOUR, lasts=-HOUR)
    async with callee(sink, issuer) as back, caller(sink, issuer, back, shows=shows) as front:
        assert await call(session, front.proxy) == (502, "tls_refused")
        assert (await refusal(sink))["mesh.reason"] == "tls_expired"


async def test_a_proxy_without_a_certificate_lets_nobody_in(sink: OtlpSink, issuer: Issuer, tmp_path: Path) -> None:
    async with sidecar("back", app="127.0.0.1:1", telemetry=sink.url, inbound={"tls": "strict"}) as back:
        assert await asked(back.inbound, context(tmp_path, issuer, uris(spiffe_id("front")))) == b""
        assert (await refusal(sink))["mesh.reason"] == "tls_no_identity"


async def test_a_handshake_that_takes_too_long_ends(sink: OtlpSink, issuer: Issuer) -> None:
    async with callee(sink, issuer, header_timeout_ms=50) as back, dial(back.inbound) as (reader, writer):
        writer.write(b"\x16\x03\x01")
        assert await reader.read() == b""
        assert (await refusal(sink))["mesh.reason"] == "tls_handshake_failed"


async def test_whoever_is_denied_is_so_at_once_on_old_connections_and_new(
    sink: OtlpSink, session: aiohttp.ClientSession, issuer: Issuer
) -> None:
    shows = issuer.identity("front")
    async with callee(sink, issuer) as back, caller(sink, issuer, back, shows=shows) as front:
        assert await call(session, front.proxy) == (200, "")
        await back.apply(trust=issuer.trust(serial_of(shows[1])))
        assert await call(session, front.proxy) == (502, "tls_refused"), (
            "neither the connection nor its session goes on"
        )
        front.engine.identify("front", *issuer.identity("front"))
        assert await call(session, front.proxy) == (200, "")


@pytest.mark.parametrize("protocol", ["http1", "http2"])
async def test_a_certificate_that_ends_ends_its_connections_with_an_answer(
    sink: OtlpSink, session: aiohttp.ClientSession, issuer: Issuer, protocol: str
) -> None:
    shows = issuer.identity("front", lasts=timedelta(seconds=4))
    async with callee(sink, issuer) as back, caller(sink, issuer, back, shows=shows, protocol=protocol) as front:
        answer, ends = await call(session, front.proxy), time.monotonic() + PATIENCE_S
        assert answer == (200, "")
        while answer == (200, "") and time.monotonic() < ends:
            answer = await call(session, front.proxy)
        assert answer[0] == 502, "a new connection is refused, with a word or, where a session is resumed, without"
        assert back.stats()["refused"]["tls_expired"] >= 1
        front.engine.identify("front", *issuer.identity("front"))
        assert await call(session, front.proxy) == (200, "")


async def test_what_is_believed_changes_and_a_connection_older_than_its_certificate_gets_its_answer(
    sink: OtlpSink, issuer: Issuer, tmp_path: Path
) -> None:
    tls = context(tmp_path, issuer, uris(spiffe_id("front")), lasts=timedelta(seconds=3))
    async with callee(sink, issuer) as back:
        host, port = back.inbound.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port), ssl=tls)
        await back.apply(trust=both_trust(issuer, Issuer()))
        ended = datetime.now(UTC) + timedelta(seconds=3)
        await eventually(lambda: datetime.now(UTC) > ended, "the certificate to end")
        writer.write(b"GET / HTTP/1.1\r\nhost: back\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in answer.lower()
        writer.close()


async def test_a_renewed_certificate_is_shown_on_new_connections_and_the_old_ones_go(
    sink: OtlpSink, session: aiohttp.ClientSession, issuer: Issuer
) -> None:
    async with callee(sink, issuer) as back, caller(sink, issuer, back) as front:
        for full in (1, 2):
            assert await call(session, front.proxy) == (200, "")
            assert await call(session, front.proxy) == (200, "")
            assert back.stats()["tls"]["full"] == full
            front.engine.identify("front", *issuer.identity("front"))
        await eventually(lambda: back.stats()["connections"]["inbound"] == 0, lambda: str(back.stats()["connections"]))


async def test_sessions_are_resumed_while_nothing_changed(
    sink: OtlpSink, session: aiohttp.ClientSession, issuer: Issuer
) -> None:
    async with (
        callee(sink, issuer) as back,
        caller(sink, issuer, back, pool_idle_per_endpoint=0) as front,
    ):
        for _ in range(2):
            assert await call(session, front.proxy) == (200, "")
        served = await sink.wait(2, "back", "server")
        # A session says who the other end was without another certificate.
        assert {span["mesh.source.identity"] for span in served} == {spiffe_id("front")}
        await eventually(lambda: back.stats()["tls"]["resumed"] >= 1, lambda: str(back.stats()["tls"]))
        assert back.stats()["tls"]["full"] == 1


async def test_leaf_issuer_and_root_change_under_load_and_nobody_notices(
    sink: OtlpSink, session: aiohttp.ClientSession
) -> None:
    old, new = Issuer(), Issuer()
    answers: list[tuple[int, str]] = []
    stop = asyncio.Event()
    async with callee(sink, old) as back, caller(sink, old, back) as front:

        async def load() -> None:
            while not stop.is_set():
                answers.append(await call(session, front.proxy))

        async def some_more() -> None:
            seen = len(answers)
            await eventually(lambda: len(answers) >= seen + 20, lambda: f"{len(answers)} answers")

        async def show(issuer: Issuer) -> None:
            for name, one in (("front", front), ("back", back)):
                await asyncio.to_thread(one.engine.identify, name, *issuer.identity(name))
                await some_more()

        async def believe(*issuers: Issuer) -> None:
            for one in (front, back):
                await one.apply(trust=both_trust(*issuers))
                await some_more()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(load())
            try:
                await show(old)
                await show(Issuer(above=old))
                await believe(old, new)
                await show(new)
                await believe(new)
                await show(Issuer(above=new))
            finally:
                stop.set()
        assert set(answers) == {(200, "")}
        assert await front.drain()
        assert await back.drain()


@pytest.mark.parametrize(("talk", "protocol"), [(shout, "tcp"), (greet, "detect")])
async def test_tunnels_are_encrypted_between_proxies(sink: OtlpSink, issuer: Issuer, talk: Talk, protocol: str) -> None:
    listen = f"127.0.0.1:{free_port()}"
    outbound = Outbound(listen=f"127.0.0.1:{free_port()}", listeners=(Listener(listen=listen, service="back"),))
    async with (
        talker(talk) as address,
        callee(sink, issuer, at=address, inbound={"protocol": protocol}) as back,
        caller(sink, issuer, back, protocol=protocol, outbound=outbound),
    ):
        async with dial(listen) as (reader, writer):
            if talk is greet:
                assert await reader.readline() == b"220 ready\r\n"
            writer.write(b"hello")
            writer.write_eof()
            assert await reader.read() == b"HELLO"
        (served,) = await sink.wait(1, "back", "server")
    assert served["mesh.source.identity"] == spiffe_id("front")
    assert served["mesh.source.service"] == "front"


async def test_an_application_that_encrypts_by_itself_is_left_alone_where_both_are_allowed(
    sink: OtlpSink, issuer: Issuer, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(*authority.issue("back"))
    plain = ssl.create_default_context(cafile=str(authority.ca))
    async with (
        talker(shout, tls=own) as address,
        callee(sink, issuer, at=address, tls="permissive", inbound={"protocol": "tls"}) as back,
    ):
        host, port = back.inbound.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port), ssl=plain)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
        writer.close()
        await writer.wait_closed()
        (served,) = await sink.wait(1, "back", "server")
    assert served["mesh.tls"] == "plaintext"
