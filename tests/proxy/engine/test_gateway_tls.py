"""Clients outside the mesh who encrypt to a gateway, with the ssl of Python: certificates by name, from files, anew."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from proxy import metrics
from proxy.snapshot import Door, DoorCertificate, Gateway, VirtualHost
from proxy.snapshot.routes import Route
from tests.world.apps import app, echo
from tests.world.certificates import Authority
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.grpc_apps import add, grpc_app
from tests.world.otlp_sink import PATIENCE_S, OtlpSink
from tests.world.processes import free_port

SHOP, API = "shop.example.com", "a.api.example.com"


@dataclass
class Edge:
    """A gateway with an encrypted door for two names, and who signs what it shows."""

    engine: Sidecar
    authority: Authority
    folder: Path

    @property
    def port(self) -> int:
        assert self.engine.workload.gateway
        return int(self.engine.workload.gateway.doors[0].listen.rpartition(":")[2])

    async def connect(
        self, name: str | None, *alpn: str, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, ssl.SSLObject]:
        context = ssl.create_default_context(cafile=str(self.authority.ca))
        context.check_hostname = name is not None
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # or else OpenSSL refuses old versions by itself
        context.minimum_version = min(newest, ssl.TLSVersion.TLSv1_2)
        context.maximum_version = newest
        if alpn:
            context.set_alpn_protocols(list(alpn))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context, server_hostname=name or "")
        secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return reader, writer, secured

    async def serial(self, name: str | None) -> str:
        """Of the certificate that is shown to who asks for this name."""
        _, writer, secured = await self.connect(name)
        shown = secured.getpeercert()
        writer.close()
        assert shown
        return str(shown["serialNumber"])

    async def get(self, name: str, path: str = "/") -> tuple[bytes, dict[str, Any]]:
        """Status line and the request as the application saw it."""
        reader, writer, _ = await self.connect(name, "http/1.1")
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return head, json.loads(body) if body.startswith(b"{") else {}


@pytest.fixture
async def edge(sink: OtlpSink, tmp_path: Path) -> AsyncIterator[Edge]:
    authority = Authority(tmp_path)
    authority.issue("shop", dns=(SHOP,))
    authority.issue("api", dns=("*.api.example.com",))

    def shown(host: str | None, name: str) -> DoorCertificate:
        return DoorCertificate(host=host, certificate=f"{tmp_path}/{name}.pem", key=f"{tmp_path}/{name}.key")

    old, new = {"kind": "exact", "value": "/old"}, {"path": {"value": "/new"}}
    moved = Route.model_validate({"name": "moved", "path": old, "redirect": new})
    async with app(echo) as address:
        routes = (moved, Route.model_validate({"name": "all", "backends": [{"service": "shop"}]}))
        certificates = (shown(SHOP, "shop"), shown("*.api.example.com", "api"), shown("later.example.com", "later"))
        door = Door(listen=f"127.0.0.1:{free_port()}", hosts=(VirtualHost(routes=routes),), certificates=certificates)
        gateway = Gateway(doors=(door,))
        async with sidecar("edge", calls=(upstream("shop", address),), gateway=gateway, telemetry=sink.url) as engine:
            yield Edge(engine, authority, tmp_path)


async def until(met: Callable[[], Awaitable[bool]]) -> None:
    """Asks again until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not await met():  # noqa: ASYNC110 (files tell nobody that they changed)
            await asyncio.sleep(0.05)


async def test_each_name_is_shown_its_certificate_and_the_application_hears_of_https(
    edge: Edge, sink: OtlpSink
) -> None:
    assert await edge.serial(SHOP) != await edge.serial(API)
    head, seen = await edge.get(SHOP)
    assert head.startswith(b"HTTP/1.1 200")
    assert seen["headers"]["x-forwarded-proto"] == "https"
    assert "proto=https" in seen["headers"]["forwarded"]
    await sink.wait(2)
    (server,) = sink.of("edge", "server")
    assert server["mesh.tls"] == "one_way"
    assert (server["url.scheme"], server["server.port"]) == ("https", 443)
    (client,) = sink.of("edge", "client")
    assert client["url.scheme"] == "http"
    head, _ = await edge.get(SHOP, "/old")
    assert b"location: https://shop.example.com/new" in head


async def test_protocols_are_chosen_by_alpn_and_old_versions_of_tls_are_not(edge: Edge) -> None:
    for offered, chosen in ((("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), ((), None)):
        _, writer, secured = await edge.connect(SHOP, *offered)
        assert (secured.selected_alpn_protocol(), secured.version()) == (chosen, "TLSv1.3")
        writer.close()
    _, writer, secured = await edge.connect(SHOP, newest=ssl.TLSVersion.TLSv1_2)
    assert secured.version() == "TLSv1.2"
    writer.close()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises(ssl.SSLError, match="ALERT"):
        await edge.connect(SHOP, newest=ssl.TLSVersion.TLSv1_1)


async def test_curl_speaks_http2_to_it(edge: Edge) -> None:
    place = ("--cacert", str(edge.authority.ca), "--resolve", f"{API}:{edge.port}:127.0.0.1")
    asked = ("curl", "-sS", "--http2", "-o", "/dev/null", "-w", "%{http_code} %{http_version}", *place)
    curl = await asyncio.create_subprocess_exec(*asked, f"https://{API}:{edge.port}/", stdout=asyncio.subprocess.PIPE)
    told, _ = await curl.communicate()
    assert told == b"200 2"


async def test_a_call_of_grpc_goes_on_as_one_inside_the_mesh(edge: Edge) -> None:
    async with grpc_app() as address, sidecar("calc", app=address, inbound={"protocol": "http2"}) as calc:
        assert edge.engine.workload.gateway
        (door,) = edge.engine.workload.gateway.doors
        route = Route.model_validate({"name": "calls", "backends": [{"service": "calc"}]})
        called = Gateway(doors=(door.model_copy(update={"hosts": (VirtualHost(routes=(route,)),)}),))
        await edge.engine.change(gateway=called, services=(upstream("calc", calc.inbound, protocol="http2"),))
        trusted = grpc.ssl_channel_credentials(edge.authority.ca.read_bytes())
        named = (("grpc.ssl_target_name_override", SHOP),)
        async with grpc.aio.secure_channel(f"127.0.0.1:{edge.port}", trusted, options=named) as calls:
            assert await add(calls, b"apple") == b"apple"


async def test_files_that_change_are_shown_to_new_connections(edge: Edge) -> None:
    before = await edge.serial(SHOP)
    edge.authority.issue("shop", dns=(SHOP,))

    async def changed() -> bool:
        return await edge.serial(SHOP) != before

    await until(changed)


async def test_what_is_wrong_with_a_certificate_is_told_before_and_after_clients_refuse_it(edge: Edge) -> None:
    def doors() -> dict[str, Any]:
        return {one["host"]: one for one in edge.engine.stats()["doors"]}

    async def told() -> bool:
        return len(doors()["*.api.example.com"]["problems"]) == 2

    assert (doors()[SHOP]["problems"], doors()["*.api.example.com"]["problems"]) == ([], [])
    assert doors()[SHOP]["ends"] > 1.7e9
    (missing,) = doors()["later.example.com"]["problems"]
    assert (doors()["later.example.com"]["ends"], missing.endswith("; clients are refused")) == (None, True)
    edge.authority.issue("api", dns=("other.example.com",), lasts=timedelta(minutes=-30))
    await until(told)
    ended, wrong = doors()["*.api.example.com"]["problems"]
    assert ended.startswith("ended 3")
    assert wrong == "is for other.example.com, not for *.api.example.com: clients refuse it"
    sentences = edge.engine.engine.problems()
    assert len(sentences) == 3
    assert sentences[0].startswith(
        f"the certificate for *.api.example.com at 127.0.0.1:{edge.port} ({edge.folder}/api.pem)"
    )
    page = metrics.render(edge.engine.stats())
    named = f'{{host="{SHOP}",listen="127.0.0.1:{edge.port}"}}'
    assert f"whymesh_proxy_door_certificate_problems{named} 0.0" in page
    ends = float(doors()[SHOP]["ends"])
    assert f"whymesh_proxy_door_certificate_end_seconds{named} {ends}" in page


async def test_a_name_without_a_certificate_is_refused_until_its_files_are_there(edge: Edge, sink: OtlpSink) -> None:
    for name in ("later.example.com", "nobody.example.com"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await edge.connect(name)
    assert {span["mesh.reason"] for span in await sink.wait(2)} == {"tls_no_identity"}
    edge.authority.issue("later", dns=("later.example.com",))

    async def served() -> bool:
        try:
            return (await edge.get("later.example.com"))[0].startswith(b"HTTP/1.1 200")
        except (ssl.SSLError, ConnectionError):
            return False

    await until(served)


async def test_who_does_not_encrypt_is_told(edge: Edge, sink: OtlpSink) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(f"GET / HTTP/1.1\r\nHost: {SHOP}\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"mesh-reason: plaintext_refused" in answer
    (span,) = await sink.wait(1)
    assert (span["mesh.reason"], span["mesh.tls"]) == ("plaintext_refused", "plaintext")
