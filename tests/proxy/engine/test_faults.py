"""Faults made on purpose: callers meet them as they are written, and the spans say that they are no one's fault."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from proxy.snapshot import Upstream
from proxy.snapshot.faults import Fault
from tests.proxy.engine.conftest import Pair
from tests.world.apps import app, dial, echo, head
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.otlp_sink import OtlpSink


def faulty(pair: Pair, *faults: dict[str, Any]) -> tuple[Upstream, ...]:
    parsed = tuple(Fault.model_validate({"name": f"test/{place}", **fault}) for place, fault in enumerate(faults))
    return (upstream("back", pair.back.endpoint, faults=parsed),)


async def inject(pair: Pair, *faults: dict[str, Any]) -> None:
    await pair.front.change(services=faulty(pair, *faults))


async def test_an_aborted_request_never_reaches_the_service(pair: Pair) -> None:
    await inject(pair, {"abort": {"status": 429}})
    async with pair.call() as response:
        assert (response.status, response.headers["mesh-reason"]) == (429, "fault_abort")
        assert "test/0" in await response.text()
    (span,) = await pair.sink.wait(1)
    assert (span["mesh.reason"], span["mesh.fault"], span["http.response.status_code"]) == (
        "fault_abort",
        "test/0",
        429,
    )
    assert "mesh.destination.instance" not in span.attributes
    assert pair.front.counted(status="4xx", reason="fault_abort", peer="back") == 1
    assert pair.back.counted() == 0


async def test_a_delayed_request_says_for_how_long(pair: Pair) -> None:
    await inject(pair, {"delay_ms": 150, "delay_jitter_ms": 50})
    async with pair.call() as response:
        assert response.status == 200
        assert "mesh-reason" not in response.headers, "the service did answer"
    (client,) = await pair.sink.wait(1, "front")
    (server,) = await pair.sink.wait(1, "back")
    assert (client["mesh.reason"], client["mesh.fault"]) == ("fault_delay", "test/0")
    assert 150_000 <= client["mesh.time.fault_us"] <= 200_000
    assert client.duration_ms > client["mesh.time.fault_us"] / 1_000 > server.duration_ms
    assert not client.error
    assert "mesh.reason" not in server.attributes


async def test_a_failure_of_the_service_is_not_hidden_by_a_delay(pair: Pair) -> None:
    await inject(pair, {"delay_ms": 1})
    await pair.back.drain()
    async with pair.call() as response:
        assert response.headers["mesh-reason"] == "connect_refused"
    spans = await pair.sink.wait(1, "front")
    assert (spans[-1]["mesh.reason"], spans[-1]["mesh.fault"]) == ("connect_refused", "test/0")


async def test_a_caller_that_leaves_during_a_delay_is_recorded(pair: Pair) -> None:
    await inject(pair, {"delay_ms": 10_000})
    with pytest.raises(asyncio.TimeoutError):
        async with pair.call(timeout=aiohttp.ClientTimeout(total=0.1)):
            pass
    (span,) = await pair.sink.wait(1)
    assert (span["mesh.reason"], span["mesh.fault"]) == ("client_cancelled", "test/0")


async def test_grpc_callers_get_a_grpc_status(pair: Pair) -> None:
    await inject(pair, {"abort": {"grpc_status": 14}})
    async with pair.call("/shop.Cart/Add", "POST") as response:
        headers = response.headers
        assert (response.status, headers["grpc-status"], headers["mesh-reason"]) == (200, "14", "fault_abort")
        assert headers["content-type"] == "application/grpc"
        assert "test/0" in headers["grpc-message"]


async def test_a_reset_gives_no_answer(pair: Pair) -> None:
    await inject(pair, {"abort": {"reset": True}})
    async with dial(pair.front.proxy) as (reader, writer):
        writer.write(b"GET http://back/ HTTP/1.1\r\nhost: back\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 5) == b""
    (span,) = await pair.sink.wait(1)
    assert (span["mesh.reason"], span["error.type"]) == ("fault_abort", "fault_abort")
    assert "http.response.status_code" not in span.attributes
    assert pair.front.stats()["panics"] == 0


async def test_a_share_of_the_requests_that_match_is_hit(pair: Pair) -> None:
    await inject(
        pair,
        {"path": {"kind": "prefix", "value": "/half"}, "per_million": 500_000, "abort": {"status": 500}},
        {"method": "POST", "headers": [{"name": "x-user", "value": "1"}], "abort": {"status": 501}},
        {"path": {"kind": "regex", "value": "/never.*"}, "per_million": 0, "abort": {"status": 502}},
    )

    async def status(path: str, method: str = "GET", **headers: str) -> int:
        async with pair.call(path, method, headers=headers) as response:
            return int(response.status)

    hit = Counter([await status("/half/x") for _ in range(400)])
    assert set(hit) == {200, 500}
    assert 140 <= hit[500] <= 260
    assert await status("/half/x", "POST", **{"x-user": "1"}) in (200, 500), "the first rule that matches counts"
    assert await status("/a", "POST", **{"x-user": "1"}) == 501
    assert await status("/a", "POST", **{"x-user": "2"}) == 200
    assert await status("/a", **{"x-user": "1"}) == 200
    assert {await status("/never") for _ in range(20)} == {200}


async def test_faults_come_and_go_without_a_connection_lost(pair: Pair) -> None:
    async with dial(pair.front.proxy) as (reader, writer):
        for faults, wanted in [((), "200"), (({"abort": {"status": 418}},), "418"), ((), "200")]:
            await inject(pair, *faults)
            writer.write(b"GET http://back/ HTTP/1.1\r\nhost: back\r\n\r\n")
            answer = await asyncio.wait_for(head(reader), 5)
            assert answer.startswith(f"HTTP/1.1 {wanted}")
            length = next(line for line in answer.lower().splitlines() if line.startswith("content-length:"))
            await reader.readexactly(int(length.split(":")[1]))


async def test_faults_of_a_backend_hold_after_routing(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    from proxy.snapshot.routes import Backend, Route

    async def plain(request: web.Request) -> web.StreamResponse:
        return await echo(request)

    async with app(plain) as address, sidecar("front", calls=(), telemetry=sink.url) as front:
        routed = upstream("api", address, routes=(Route(name="r", backends=(Backend(service="cart"),)),))
        await front.change(
            services=(routed, upstream("cart", address, faults=(Fault(name="f/0", abort={"status": 503}),)))
        )
        assert await asked(front, session, "api") == 503
        assert await asked(front, session, "cart") == 503


async def asked(front: Sidecar, session: aiohttp.ClientSession, service: str) -> int:
    async with session.get(f"http://{service}/", proxy=front.proxy) as response:
        return response.status
