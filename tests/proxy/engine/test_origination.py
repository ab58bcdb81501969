"""Services outside the mesh that take TLS: asked for by their name, believed for it alone, each failure told apart."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509

from proxy.snapshot import Door, DoorCertificate, Gateway, Origination, VirtualHost
from proxy.snapshot.routes import Route
from tests.proxy.engine.secured import files
from tests.proxy.engine.test_tunnels import caller as dialling
from tests.proxy.engine.test_tunnels import shout
from tests.world.apps import app, dial, echo, talker
from tests.world.engines import sidecar, upstream
from tests.world.identities import Issuer
from tests.world.otlp_sink import OtlpSink
from tests.world.processes import free_port

NAME = "api.example.com"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


def roots(folder: Path, issuer: Issuer) -> str:
    path = folder / "roots.pem"
    path.write_text(ssl.DER_cert_to_PEM_cert(issuer.der))
    return str(path)


def certificate(folder: Path, issuer: Issuer, name: str = NAME, **signed: Any) -> tuple[Path, Path]:
    """Of a server called `name`, and its key."""
    folder.mkdir(exist_ok=True)
    return files(folder, issuer, x509.SubjectAlternativeName([x509.DNSName(name)]), **signed)


def serving(pair: tuple[Path, Path], wants: str = "") -> ssl.SSLContext:
    """A server that shows a certificate, and `wants` one by these roots."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if wants:
        context.load_verify_locations(wants)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request, one answer."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)
    await writer.drain()


@contextlib.contextmanager
def wary(context: ssl.SSLContext) -> Iterator[str]:
    """A server on a thread, who says why it refuses a client (asyncio hangs up before that is sent); its address."""

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as shaking:
            try:
                shaking.do_handshake()
                shaking.recv(4_096)
                shaking.sendall(ANSWER)
            except ssl.SSLError:
                with socket.socket(fileno=shaking.detach()) as refused:
                    refused.shutdown(socket.SHUT_WR)
                    while refused.recv(4_096):
                        pass

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                serve(server.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


async def ask(session: aiohttp.ClientSession, proxy: str) -> tuple[int, str]:
    """Status and reason of a request that the application makes in the clear."""
    async with session.get("http://api/", proxy=proxy) as response:
        await response.read()
        return response.status, response.headers.get("mesh-reason", "")


@pytest.mark.parametrize("protocol", ["http1", "http2"])
async def test_a_service_outside_is_asked_for_by_its_name_over_one_connection(
    sink: OtlpSink, session: aiohttp.ClientSession, issuer: Issuer, tmp_path: Path, protocol: Any
) -> None:
    chain, key = certificate(tmp_path, issuer)
    shown = DoorCertificate(host=NAME, certificate=str(chain), key=str(key))
    everything = (VirtualHost(routes=(Route.model_validate({"name": "all", "backends": [{"service": "app"}]}),)),)
    door = Door(listen=f"127.0.0.1:{free_port()}", hosts=everything, certificates=(shown,))
    tls = Origination(server_name=NAME, roots=roots(tmp_path, issuer))
    async with (
        app(echo) as address,
        sidecar("outside", calls=(upstream("app", address),), gateway=Gateway(doors=(door,)), telemetry=sink.url),
        sidecar(
            "front", calls=(upstream("api", door.listen, protocol=protocol, tls=tls),), telemetry=sink.url
        ) as front,
    ):
        for _ in range(3):
            assert await ask(session, front.proxy) == (200, "")
        spans = await sink.wait(3, "front", "client")
        served = await sink.wait(3, "outside", "server")
    assert {span["mesh.tls"] for span in spans} == {"one_way"}
    assert sum("mesh.time.tls_us" in span.attributes for span in spans) == 1
    assert {span["network.protocol.version"] for span in served} == {"2" if protocol == "http2" else "1.1"}


FAILURES: dict[str, dict[str, Any]] = {
    "tls_unknown_authority": {"issuer": Issuer()},
    "tls_wrong_peer": {"name": "other.example.com"},
    "tls_expired": {"starts": -2 * HOUR, "lasts": -HOUR},
    "tls_not_yet_valid": {"starts": HOUR, "lasts": 2 * HOUR},
}


@pytest.mark.parametrize("reason", FAILURES)
async def test_who_cannot_prove_the_name_is_not_called(
    sink: OtlpSink, session: aiohttp.ClientSession, issuer: Issuer, tmp_path: Path, reason: str
) -> None:
    shown = {"issuer": issuer, **FAILURES[reason]}
    tls = Origination(server_name=NAME, roots=roots(tmp_path, issuer))
    async with (
        talker(answer, tls=serving(certificate(tmp_path, **shown))) as address,
        sidecar("front", calls=(upstream("api", address, tls=tls),), telemetry=sink.url) as front,
    ):
        assert await ask(session, front.proxy) == (502, reason)
        (span, *_) = await sink.wait(1, "front", "client")
    assert span["mesh.reason"] == reason


async def test_who_speaks_no_tls_is_told_apart(session: aiohttp.ClientSession, issuer: Issuer, tmp_path: Path) -> None:
    tls = Origination(server_name=NAME, roots=roots(tmp_path, issuer))
    async with app(echo) as address, sidecar("front", calls=(upstream("api", address, tls=tls),)) as front:
        assert await ask(session, front.proxy) == (502, "tls_handshake_failed")


async def test_a_certificate_is_shown_to_who_wants_one(
    sink: OtlpSink, session: aiohttp.ClientSession, issuer: Issuer, tmp_path: Path
) -> None:
    believed = roots(tmp_path, issuer)
    own = certificate(tmp_path / "own", issuer, "front.example.com")
    tls = Origination(server_name=NAME, roots=believed)
    proving = tls.model_copy(update={"certificate": str(own[0]), "key": str(own[1])})
    with wary(serving(certificate(tmp_path, issuer), believed)) as address:
        calls = [(upstream("api", address, tls=each),) for each in (tls, proving)]
        async with sidecar("front", calls=calls[0], telemetry=sink.url) as front:
            assert await ask(session, front.proxy) == (502, "tls_refused")
            await front.change(services=calls[1])
            assert await ask(session, front.proxy) == (200, "")
            spans = await sink.wait(2, "front", "client")
    assert spans[-1]["mesh.tls"] == "mutual"


async def test_bytes_that_nobody_looks_at_are_encrypted_too(sink: OtlpSink, issuer: Issuer, tmp_path: Path) -> None:
    tls = Origination(server_name=NAME, roots=roots(tmp_path, issuer))
    async with (
        talker(shout, tls=serving(certificate(tmp_path, issuer))) as address,
        dialling(sink, upstream("api", address, protocol="tcp", tls=tls)) as (_, listener),
        dial(listener) as (reader, writer),
    ):
        writer.write(b"select 1")
        assert await reader.readexactly(8) == b"SELECT 1"
