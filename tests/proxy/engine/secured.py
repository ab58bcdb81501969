"""A caller and a callee that encrypt, each with a certificate of its own."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proxy._engine import Key
from proxy.snapshot import Trust
from tests.world.apps import app, echo
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.identities import Issuer, spiffe_id
from tests.world.otlp_sink import OtlpSink

Shown = tuple[Key, list[bytes]]


@contextlib.asynccontextmanager
async def callee(
    sink: OtlpSink,
    issuer: Issuer,
    *,
    tls: str = "strict",
    at: str = "",
    shows: Shown | None = None,
    trust: Trust | None = None,
    **more: Any,
) -> AsyncIterator[Sidecar]:
    """The proxy of `back`, beside an application that echoes unless there is another one."""
    inbound = {"tls": tls, **more.pop("inbound", {})}
    async with contextlib.AsyncExitStack() as world:
        address = at or await world.enter_async_context(app(echo))
        back = sidecar(
            "back",
            app=address,
            telemetry=sink.url,
            inbound=inbound,
            shows=shows or issuer.identity("back"),
            trust=trust or issuer.trust(),
            **more,
        )
        yield await world.enter_async_context(back)


@contextlib.asynccontextmanager
async def caller(
    sink: OtlpSink,
    issuer: Issuer,
    back: Sidecar,
    *,
    shows: Shown | None = None,
    trust: Trust | None = None,
    means: str = "back",
    protocol: str = "http1",
    **more: Any,
) -> AsyncIterator[Sidecar]:
    """The proxy of `front`, which calls `back`."""
    calls = (upstream("back", back.endpoint, identity=spiffe_id(means, issuer.domain), protocol=protocol),)
    async with sidecar(
        "front",
        calls=calls,
        telemetry=sink.url,
        shows=shows or issuer.identity("front"),
        trust=trust or issuer.trust(),
        **more,
    ) as front:
        yield front


def uris(*names: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(name) for name in names])


def context(folder: Path, issuer: Issuer, names: x509.SubjectAlternativeName | None, **signed: Any) -> ssl.SSLContext:
    """What a client of another make shows: a certificate on these names, or none."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if names is not None:
        made.load_cert_chain(*files(folder, issuer, names, **signed))
    return made


def files(folder: Path, issuer: Issuer, names: x509.SubjectAlternativeName, **signed: Any) -> tuple[Path, Path]:
    """A certificate and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = issuer.sign(key.public_key(), names, **signed)
    paths = folder / "leaf.pem", folder / "leaf.key"
    paths[0].write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain),
    )
    return paths


async def asked(address: str, tls: ssl.SSLContext) -> bytes:
    """What comes of a request over TLS; empty when the connection is refused."""
    host, port = address.rsplit(":", 1)
    try:
        reader, writer = await asyncio.open_connection(host, int(port), ssl=tls)
    except (ssl.SSLError, OSError):
        return b""
    try:
        writer.write(b"GET / HTTP/1.1\r\nhost: back\r\nconnection: close\r\n\r\n")
        return await reader.read()
    except (ssl.SSLError, OSError):
        return b""
    finally:
        writer.close()
        with contextlib.suppress(ssl.SSLError, OSError):
            await writer.wait_closed()
