"""Requests through two engines become one trace, and every span says what docs/telemetry.md promises."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from tests.proxy.engine.conftest import Pair
from tests.world.apps import app, calling, echo, head, talker
from tests.world.engines import sidecar, upstream
from tests.world.otlp_sink import OtlpSink

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_two_spans_are_one_trace(pair: Pair) -> None:
    async with pair.call("/orders/17?q=1") as response:
        told = (await response.json())["headers"]
    (client,) = await pair.sink.wait(1, "front")
    (server,) = await pair.sink.wait(1, "back")
    assert (client.kind, server.kind) == ("client", "server")
    assert client.parent == ""
    assert (server.trace, server.parent) == (client.trace, client.span)
    assert told["traceparent"] == f"00-{server.trace}-{server.span}-01"
    assert told["tracestate"] == f"whymesh={server.span}"
    assert client.start_ns <= server.start_ns <= server.end_ns <= client.end_ns


async def test_attributes_are_those_of_the_conventions(pair: Pair) -> None:
    async with pair.call("/orders/17?q=1", method="PUT", data="x"):
        pass
    (client,) = await pair.sink.wait(1, "front")
    (server,) = await pair.sink.wait(1, "back")
    port = int(pair.back.inbound.split(":")[1])
    both = {
        "http.request.method": "PUT",
        "http.response.status_code": 200,
        "url.path": "/orders/17",
        "url.scheme": "http",
        "server.address": "back",
        "server.port": 80,
        "network.protocol.version": "1.1",
        "mesh.source.service": "front",
        "mesh.source.version": "v1",
        "mesh.source.instance": "front-1",
        "mesh.destination.service": "back",
        "mesh.destination.version": "v1",
        "mesh.destination.instance": "back-1",
        "mesh.route": "/orders/{id}",
        "mesh.epoch": 1,
        "network.peer.address": "127.0.0.1",
    }
    times = {key for key in client.attributes if key.startswith("mesh.time.")}
    assert times == {f"mesh.time.{part}_us" for part in ("queue", "connect", "first_byte", "body")}
    assert {key: value for key, value in client.attributes.items() if key not in times} == both | {
        "url.full": "http://back/orders/17",
        "network.peer.port": port,
        "mesh.attempt": 1,
    }
    assert server["http.route"] == "/orders/{id}"
    assert server["client.address"] == "127.0.0.1"
    assert both.items() <= server.attributes.items()
    assert (server["mesh.children"], server["mesh.children.failed"]) == (0, 0)
    assert 0 < server["mesh.time.first_byte_us"] <= server.duration_ms * 1000
    assert server["mesh.time.own_us"] == pytest.approx(server.duration_ms * 1000, abs=2)
    assert {client.name, server.name} == {"PUT /orders/{id}"}
    assert server.resource == {
        "service.name": "back",
        "service.namespace": "default",
        "service.version": "v1",
        "service.instance.id": "back-1",
    }


async def test_a_callers_trace_is_continued_with_its_state(pair: Pair) -> None:
    async with pair.call(headers={"traceparent": PARENT, "tracestate": "a=1,b=2"}) as response:
        told = (await response.json())["headers"]
    (client,) = await pair.sink.wait(1, "front")
    (server,) = await pair.sink.wait(1, "back")
    assert (client.trace, client.parent) == (PARENT[3:35], PARENT[36:52])
    assert told["tracestate"] == f"whymesh={server.span},a=1,b=2"


@pytest.mark.parametrize(
    "broken", ["ff" + PARENT[2:], PARENT[:-1], PARENT.upper(), PARENT.replace("b7ad6b7169203331", "0" * 16)]
)
async def test_a_broken_parent_starts_a_trace_and_drops_the_state(pair: Pair, broken: str) -> None:
    async with pair.call(headers={"traceparent": broken, "tracestate": "a=1"}) as response:
        told = (await response.json())["headers"]
    (client,) = await pair.sink.wait(1, "front")
    assert client.parent == ""
    assert client.trace != PARENT[3:35]
    assert "a=1" not in told["tracestate"]


async def test_the_source_is_the_proxys_word_not_the_applications(pair: Pair) -> None:
    async with pair.call(headers={"x-mesh-source": "bank/v9/bank-7"}) as response:
        assert "x-mesh-source" not in (await response.json())["headers"]
    (server,) = await pair.sink.wait(1, "back")
    assert server["mesh.source.service"] == "front"


async def test_a_request_from_outside_the_mesh_has_no_source(pair: Pair) -> None:
    async with pair.session.get(f"http://{pair.back.inbound}/", headers={"x-mesh-source": "<b>/1"}):
        pass
    (server,) = await pair.sink.wait(1, "back")
    assert not [key for key in server.attributes if key.startswith("mesh.source")]
    assert pair.back.counted(direction="inbound", peer="") == 1


async def slow(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(float(request.query["s"]))
    return web.Response(status=int(request.query.get("status", "200")))


@pytest.mark.parametrize("carry", [("traceparent",), ("traceparent", "tracestate"), ("tracestate",)])
async def test_own_time_leaves_out_the_union_of_concurrent_calls(
    sink: OtlpSink, session: aiohttp.ClientSession, carry: tuple[str, ...]
) -> None:
    urls = ("http://back/?s=0.2", "http://back/?s=0.3", "http://back/?s=0.1&status=500")
    async with app(slow) as back_app, sidecar("back", app=back_app, telemetry=sink.url) as back:
        outbound = sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=sink.url, app="127.0.0.1:1")
        async with outbound as front, app(calling(front.proxy, *urls, carry=carry)) as front_app:
            assert front.workload.inbound
            await front.change(inbound=front.workload.inbound.model_copy(update={"app": front_app}))
            async with session.get(f"http://{front.inbound}/") as response:
                assert sorted(await response.json()) == [200, 200, 500]
            (server,) = await sink.wait(1, "front", "server")
            calls = await sink.wait(3, "front", "client")
    assert (server["mesh.children"], server["mesh.children.failed"]) == (3, 1)
    busy = (max(call.end_ns for call in calls) - min(call.start_ns for call in calls)) / 1e6
    assert busy >= 300
    assert server["mesh.time.own_us"] / 1000 == pytest.approx(server.duration_ms - busy, abs=1.0)
    if "traceparent" in carry:
        assert {call.parent for call in calls} == {server.span}


async def test_a_foreign_span_in_between_still_leads_home(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    """An application with an SDK of its own: its span is the parent, only tracestate names the server span."""

    async with app(echo) as back_app, sidecar("back", app=back_app, telemetry=sink.url) as back:
        outbound = sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=sink.url, app="127.0.0.1:1")
        async with outbound as front:

            async def handle(request: web.Request) -> web.StreamResponse:
                version, trace, _, flags = request.headers["traceparent"].split("-")
                headers = {
                    "traceparent": f"{version}-{trace}-{'ab' * 8}-{flags}",
                    "tracestate": "vendor=1," + request.headers["tracestate"],
                }
                async with session.get("http://back/", headers=headers, proxy=front.proxy) as response:
                    return web.json_response(await response.json())

            async with app(handle) as front_app:
                assert front.workload.inbound
                await front.change(inbound=front.workload.inbound.model_copy(update={"app": front_app}))
                async with session.get(f"http://{front.inbound}/") as response:
                    told = (await response.json())["headers"]
            (server,) = await sink.wait(1, "front", "server")
            (client,) = await sink.wait(1, "front", "client")
            (callee,) = await sink.wait(1, "back", "server")
    assert server["mesh.children"] == 1
    assert client.parent == "ab" * 8
    assert told["tracestate"] == f"whymesh={callee.span},vendor=1"


async def test_calls_after_the_request_has_ended_count_nowhere(pair: Pair) -> None:
    async with pair.session.get(f"http://{pair.back.inbound}/") as response:
        told = (await response.json())["headers"]
    async with pair.call(headers={"traceparent": told["traceparent"], "tracestate": told["tracestate"]}):
        pass
    spans = await pair.sink.wait(2, "back", "server")
    assert [span["mesh.children"] for span in spans] == [0, 0]


async def test_two_workers_share_what_they_know_of_requests(sink: OtlpSink) -> None:
    """The call of a request may reach another worker than the request itself."""
    async with app(echo) as back_app, sidecar("back", app=back_app, telemetry=sink.url) as back:
        outbound = sidecar(
            "front", calls=(upstream("back", back.endpoint),), telemetry=sink.url, app="127.0.0.1:1", workers=2
        )
        async with outbound as front, app(calling(front.proxy, "http://back/")) as front_app:
            assert front.workload.inbound
            await front.change(inbound=front.workload.inbound.model_copy(update={"app": front_app}))
            for _ in range(20):
                async with aiohttp.ClientSession() as session, session.get(f"http://{front.inbound}/") as response:
                    assert response.status == 200
            spans = await sink.wait(20, "front", "server")
    assert [span["mesh.children"] for span in spans] == [1] * 20


async def test_the_time_of_a_response_is_split_at_its_first_byte(
    sink: OtlpSink, session: aiohttp.ClientSession
) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await asyncio.sleep(0.1)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha")
        await asyncio.sleep(0.2)
        writer.write(b"lf")
        await reader.read()

    async with (
        talker(slow) as address,
        sidecar("back", app=address, telemetry=sink.url) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=sink.url) as front,
    ):
        async with session.get("http://back/", proxy=front.proxy) as response:
            assert await response.text() == "half"
        spans = await sink.wait(2)
    for span in spans:
        first, body = span["mesh.time.first_byte_us"], span["mesh.time.body_us"]
        assert (first // 90_000, body // 180_000) == (1, 1)
        assert first + body == pytest.approx(span.duration_ms * 1000, abs=2)
        assert span["mesh.time.connect_us"] <= span["mesh.time.queue_us"] < first


async def test_requests_are_counted_by_peer_version_and_route(pair: Pair) -> None:
    for path in ("/orders/1", "/orders/2", "/cart?status=404"):
        async with pair.call(path) as response:
            await response.read()
    for side, peer in ((pair.front, "back"), (pair.back, "front")):
        assert side.counted(peer=peer, version="v1", route="/orders/{id}", status="2xx", reason="") == 2
        assert side.counted(peer=peer, version="v1", route="/cart", status="4xx") == 1
