"""Requests of clients outside the mesh reach services by the routes of a gateway only, and say nothing they may not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import grpc
import pytest
from aiohttp import web

from proxy.snapshot import Door, Gateway, VirtualHost
from proxy.snapshot.gate import Gate
from proxy.snapshot.policies import Policy
from proxy.snapshot.routes import Route
from tests.world.apps import app, echo, talker, websocket_echo
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.grpc_apps import add, channel, grpc_app, watch
from tests.world.otlp_sink import OtlpSink, eventually
from tests.world.processes import free_port

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


def host(name: str | None, *routes: dict[str, Any]) -> VirtualHost:
    parsed = tuple(Route.model_validate({"name": f"r/{place}"} | one) for place, one in enumerate(routes))
    return VirtualHost(host=name, routes=parsed)


def to(*services: str, **more: Any) -> dict[str, Any]:
    return {"backends": [{"service": service} for service in services], **more}


class Edge:
    """A gateway with two services behind it, each of which says its name."""

    def __init__(self, engine: Sidecar, session: aiohttp.ClientSession) -> None:
        self.engine = engine
        self.session = session

    @property
    def gateway(self) -> Gateway:
        assert self.engine.workload.gateway
        return self.engine.workload.gateway

    @property
    def address(self) -> str:
        return self.gateway.doors[0].listen

    async def change(self, *hosts: VirtualHost, **parts: Any) -> None:
        door = self.gateway.doors[0]
        if hosts:
            parts["doors"] = (door.model_copy(update={"hosts": hosts}), *self.gateway.doors[1:])
        await self.engine.change(gateway=self.gateway.model_copy(update=parts))

    async def ask(self, host: str, path: str = "/", method: str = "GET", **more: Any) -> tuple[int, dict[str, Any]]:
        headers = {"Host": host, **more.pop("headers", {})}
        url = f"http://{self.address}{path}"
        async with self.session.request(method, url, headers=headers, allow_redirects=False, **more) as response:
            text = await response.text()
            told = {name.lower(): value for name, value in response.headers.items()}
            said = json.loads(text) if told.get("x-from") == "app" else {"text": text}
            return response.status, said | {"answer": told}

    async def who(self, host: str, path: str = "/") -> str:
        return str((await self.ask(host, path))[1].get("app", ""))


@pytest.fixture
async def edge(sink: OtlpSink, session: aiohttp.ClientSession) -> AsyncIterator[Edge]:
    def named(name: str) -> Any:
        async def answer(request: web.Request) -> web.StreamResponse:
            response = await echo(request)
            assert isinstance(response, web.Response)
            body = json.loads(response.text or "") | {"app": name}
            return web.json_response(body, status=response.status, headers={"x-from": "app"})

        return answer

    async with AsyncExitStack() as stack:
        shop, api = [await stack.enter_async_context(app(named(name))) for name in ("shop", "api")]
        door = Door(listen=f"127.0.0.1:{free_port()}", hosts=(host(None, to("shop")),))
        calls = (upstream("shop", shop), upstream("api", api), upstream("gone", f"127.0.0.1:{free_port()}"))
        made = sidecar("edge", calls=calls, gateway=Gateway(doors=(door,)), telemetry=sink.url)
        yield Edge(await stack.enter_async_context(made), session)


async def test_the_most_specific_host_counts_then_the_first_route(edge: Edge) -> None:
    await edge.change(
        host("shop.example.com", to("api", path={"kind": "prefix", "value": "/api"}), to("shop")),
        host("*.example.com", to("api")),
        host("*.eu.example.com", to("shop")),
    )
    assert await edge.who("shop.example.com") == "shop"
    assert await edge.who("SHOP.example.com:8080", "/api/x") == "api"
    assert await edge.who("a.b.example.com") == "api"
    assert await edge.who("a.eu.example.com") == "shop"


async def test_a_host_without_a_route_is_unknown_also_if_it_is_a_service(edge: Edge) -> None:
    await edge.change(host("shop.example.com", to("shop", path={"kind": "exact", "value": "/in"})))
    for name in ("api", "shop", "example.com", "a.shop.example.com"):
        status, said = await edge.ask(name, headers={"Host": name})
        assert (status, said["answer"]["mesh-reason"]) == (404, "unknown_host"), name
        assert name in said["text"]
    status, said = await edge.ask("shop.example.com", "/out")
    assert (status, said["answer"]["mesh-reason"]) == (404, "no_route")
    assert await edge.who("shop.example.com", "/in") == "shop"


async def test_a_request_is_a_server_span_of_the_gateway_and_a_client_span_of_its_call(
    edge: Edge, sink: OtlpSink
) -> None:
    assert (await edge.ask("shop.example.com", "/a?status=404"))[0] == 404
    spans = await sink.wait(2)
    (server,) = sink.of("edge", "server")
    (client,) = sink.of("edge", "client")
    assert len(spans) == 2
    assert (server.trace, server.parent) == (client.trace, "")
    assert client.parent == server.span
    assert (client["mesh.source.service"], client["mesh.destination.service"]) == ("edge", "shop")
    assert (server["mesh.destination.service"], server["client.address"]) == ("edge", "127.0.0.1")
    assert "mesh.source.service" not in server.attributes
    for span in (server, client):
        assert (span["http.response.status_code"], span["mesh.rule"], span["url.path"]) == (404, "r/0", "/a")
    assert (server["mesh.children"], server["mesh.children.failed"]) == (1, 0)
    assert server.start_ns <= client.start_ns <= client.end_ns <= server.end_ns
    assert server["mesh.time.first_byte_us"] >= client["mesh.time.first_byte_us"]
    assert edge.engine.counted(direction="inbound") == 1
    assert edge.engine.counted(direction="outbound", peer="shop") == 1


async def test_a_failing_call_fails_the_request(edge: Edge, sink: OtlpSink) -> None:
    await edge.change(host(None, to("gone")))
    status, said = await edge.ask("shop.example.com")
    assert (status, said["answer"]["mesh-reason"]) == (503, "connect_refused")
    await sink.wait(1, "edge", "server")
    (server,) = sink.of("edge", "server")
    assert (server["http.response.status_code"], server["mesh.reason"]) == (503, "connect_refused")
    assert server["mesh.children.failed"] == 1


async def test_a_response_that_breaks_off_breaks_off_both_spans(
    edge: Edge, session: aiohttp.ClientSession, sink: OtlpSink
) -> None:
    async def half(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    async with talker(half) as address:
        await edge.engine.change(services=(upstream("shop", address),))
        with pytest.raises(aiohttp.ClientError):
            await edge.ask("shop.example.com")
        await sink.wait(1, "edge", "server")
    for span in sink.of("edge"):
        assert (span["http.response.status_code"], span["mesh.reason"]) == (200, "upstream_reset")


async def test_a_client_that_leaves_ends_both_spans(edge: Edge, sink: OtlpSink) -> None:
    async def silent(reader: Any, writer: Any) -> None:
        await reader.read()
        writer.close()

    async with talker(silent) as address:
        await edge.engine.change(services=(upstream("shop", address),))
        with pytest.raises(TimeoutError):
            await edge.ask("shop.example.com", timeout=aiohttp.ClientTimeout(total=0.3))
        await sink.wait(1, "edge", "server")
    for span in sink.of("edge"):
        assert span["mesh.reason"] == "client_cancelled"
        assert "http.response.status_code" not in span.attributes


async def test_an_answer_of_a_route_needs_no_call(edge: Edge, sink: OtlpSink) -> None:
    await edge.change(host(None, {"redirect": {"scheme": "https", "status": 301}}))
    status, said = await edge.ask("shop.example.com", "/a")
    assert (status, said["answer"]["location"]) == (301, "https://shop.example.com/a")
    (span,) = await sink.wait(1)
    assert (span.kind, span["mesh.reason"], span["mesh.rule"]) == ("server", "route_answer", "r/0")


async def test_clients_say_nothing_of_themselves_that_the_mesh_would_believe(edge: Edge, sink: OtlpSink) -> None:
    forged = {
        "x-mesh-source": "admin/v1/admin-1",
        "mesh-retry": "3",
        "mesh-timeout-ms": "1",
        "mesh-reason": "draining",
        "x-forwarded-for": "6.6.6.6",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "admin",
        "forwarded": "for=6.6.6.6",
        "x-mine": "stays",
    }
    said = (await edge.ask("shop.example.com", headers=forged))[1]["headers"]
    assert said["x-mesh-source"] == "edge/v1/edge-1"
    assert not {"mesh-retry", "mesh-timeout-ms", "mesh-reason"} & said.keys()
    assert said["x-forwarded-for"] == "127.0.0.1"
    assert (said["x-forwarded-proto"], said["x-forwarded-host"]) == ("http", "shop.example.com")
    assert said["forwarded"] == 'for=127.0.0.1;host="shop.example.com";proto=http'
    assert (said["x-mine"], said["host"]) == ("stays", "shop.example.com")
    await sink.wait(2)
    assert "admin" not in str(sink.spans)


async def test_a_client_cannot_have_removed_what_is_said_of_it(edge: Edge) -> None:
    options = "x-forwarded-for, x-forwarded-host, forwarded, x-mesh-source, traceparent, x-mine"
    said = (await edge.ask("shop.example.com", headers={"Connection": options, "x-mine": "1"}))[1]["headers"]
    assert {"x-forwarded-for", "x-forwarded-host", "forwarded", "x-mesh-source", "traceparent"} <= said.keys()
    assert "x-mine" not in said


async def test_an_upgraded_connection_is_carried_both_ways(edge: Edge, sink: OtlpSink) -> None:
    async with app(websocket_echo) as address:
        await edge.engine.change(services=(upstream("shop", address),))
        async with edge.session.ws_connect(f"http://{edge.address}/ws") as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "HELLO"
        await sink.wait(2)
    for span in sink.of("edge"):
        assert span["http.response.status_code"] == 101


async def test_grpc_calls_end_both_spans_with_their_code(edge: Edge, sink: OtlpSink) -> None:
    async with grpc_app() as address, channel(edge.address, "shop.example.com") as calls:
        await edge.engine.change(services=(upstream("shop", address, protocol="http2"),))
        assert await add(calls, b"apple") == b"apple"
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await watch(calls, b"2!")
        assert ended.value.code() is grpc.StatusCode.DATA_LOSS
        await edge.change(host("other.example.com", to("shop")))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await add(calls, b"apple")
        assert "no route" in (refused.value.details() or "").lower()
        await sink.wait(5)
    codes = {
        kind: [span["rpc.response.status_code"] for span in sink.of("edge", kind)] for kind in ("server", "client")
    }
    assert codes["client"] == ["OK", "DATA_LOSS"]
    assert codes["server"] == ["OK", "DATA_LOSS", "UNIMPLEMENTED"]


async def test_the_word_of_trusted_proxies_counts(edge: Edge) -> None:
    await edge.change(trusted_hops=1)
    told = {"x-forwarded-for": "6.6.6.6, 10.1.2.3", "x-forwarded-proto": "https", "x-forwarded-host": "shop"}
    said = (await edge.ask("shop.example.com", headers=told))[1]["headers"]
    assert said["x-forwarded-for"] == "10.1.2.3, 127.0.0.1"
    assert (said["x-forwarded-proto"], said["x-forwarded-host"]) == ("https", "shop")


async def test_a_trace_from_outside_is_restarted_or_continued(edge: Edge, sink: OtlpSink) -> None:
    told = {"traceparent": TRACEPARENT, "tracestate": f"a=1,whymesh={PARENT}", "b3": f"{TRACE}-{PARENT}-1"}
    said = (await edge.ask("shop.example.com", headers=told))[1]["headers"]
    await sink.wait(2)
    assert all(span.trace != TRACE for span in sink.spans)
    assert TRACE not in str(said)
    assert "tracestate" not in said
    sink.spans.clear()

    await edge.change(trace="continue")
    said = (await edge.ask("shop.example.com", headers=told))[1]["headers"]
    await sink.wait(2)
    (server,) = sink.of("edge", "server")
    (client,) = sink.of("edge", "client")
    assert (server.trace, server.parent) == (TRACE, PARENT)
    assert said["traceparent"] == f"00-{TRACE}-{client.span}-01"
    assert said["tracestate"] == "a=1", "our own member is not theirs to write"


async def test_the_gate_of_a_gateway_limits_each_client(edge: Edge) -> None:
    limit = {"name": "each", "rate": {"requests": 1, "per_ms": 60_000, "burst": 1}, "by": {"kind": "source"}}
    await edge.change(gate=Gate.model_validate({"rate_limits": [limit]}))
    assert (await edge.ask("shop.example.com"))[0] == 200
    status, said = await edge.ask("shop.example.com")
    assert (status, said["answer"]["mesh-reason"]) == (429, "rate_limited")


async def test_doors_open_and_close_and_routes_change_while_requests_come(edge: Edge, sink: OtlpSink) -> None:
    other = Door(listen=f"127.0.0.1:{free_port()}", hosts=(host(None, to("api")),))
    await edge.change(doors=(*edge.gateway.doors, other))
    async with edge.session.get(f"http://{other.listen}/") as response:
        assert (await response.json())["app"] == "api"
    await edge.change(doors=edge.gateway.doors[:1])
    await edge.change(host("shop.example.com", to("api")))
    assert await edge.who("shop.example.com") == "api"
    name, _, port = other.listen.rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(name, int(port))


async def test_a_retry_is_a_further_call_of_the_same_request(edge: Edge, sink: OtlpSink) -> None:
    asked: list[str] = []

    async def unsure(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers.get("mesh-retry", ""))
        return web.Response(status=503 if len(asked) == 1 else 200)

    async with app(unsure) as address:
        policy = Policy.model_validate({"retry": {"attempts": 2, "on": ["gateway"]}})
        await edge.engine.change(services=(upstream("shop", address, policy=policy),))
        assert (await edge.ask("shop.example.com"))[0] == 200
        await sink.wait(1, "edge", "server")
        await eventually(lambda: len(sink.of("edge", "client")) == 2, "two attempts")
    (server,) = sink.of("edge", "server")
    assert asked == ["", "1"]
    assert {client.parent for client in sink.of("edge", "client")} == {server.span}
    assert (server["http.response.status_code"], server["mesh.children"]) == (200, 1)


async def test_a_gateway_refuses_what_no_proxy_carries(edge: Edge) -> None:
    assert (await edge.ask("shop.example.com", method="CONNECT"))[0] in (400, 403, 405)
    status, said = await edge.ask("shop.example.com", headers={"x-mesh-source": "edge/v1/edge-1"})
    assert (status, said["answer"]["mesh-reason"]) == (508, "request_loop")


async def test_a_way_out_knows_who_calls_and_tells_nothing_of_the_mesh(
    session: aiohttp.ClientSession, sink: OtlpSink
) -> None:
    async def api(request: web.Request) -> web.StreamResponse:
        response = await echo(request)
        response.headers["mesh-reason"] = "draining"
        return response

    name = "api.example.com"
    async with app(api) as address:
        door = Door(listen=f"127.0.0.1:{free_port()}", hosts=(host(name, to(name)),))
        out = sidecar(
            "exit",
            calls=(upstream(name, address, outside=True),),
            gateway=Gateway(doors=(door,), callers="mesh"),
            telemetry=sink.url,
        )
        async with out, sidecar("buyer", calls=(upstream(name, door.listen),), telemetry=sink.url) as buyer:
            told = {"grpc-timeout": "5S", "mesh-timeout-ms": "5000", "traceparent": TRACEPARENT}
            async with session.get(f"http://{name}/a", proxy=buyer.proxy, headers=told) as response:
                said = (await response.json())["headers"]
                assert "mesh-reason" not in response.headers, "who is outside does not speak for the mesh"
            async with session.get(f"http://{door.listen}/", headers={"Host": "elsewhere.example.com"}) as response:
                assert (response.status, response.headers["mesh-reason"]) == (404, "unknown_host")
            await sink.wait(4)
    assert not [header for header in said if header.startswith(("x-mesh-", "mesh-", "x-forwarded-"))]
    assert said["host"] == name
    (server, refused) = sink.of("exit", "server")
    (call,) = sink.of("buyer", "client")
    (client,) = sink.of("exit", "client")
    assert (server["mesh.source.service"], server.parent, client.parent) == ("buyer", call.span, server.span)
    assert {server.trace, client.trace, call.trace} == {TRACE}
    assert said["traceparent"] == f"00-{TRACE}-{client.span}-01"
    assert "mesh.reason" not in client.attributes
    assert refused["mesh.reason"] == "unknown_host"
