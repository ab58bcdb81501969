"""How long a caller waits goes with its request from hop to hop, and nobody works on what nobody waits for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import grpc
import pytest
from aiohttp import web

from proxy.snapshot.policies import Policy, Retry
from proxy.snapshot.routes import Backend, Route
from tests.proxy.engine.test_grpc import Calls, calls
from tests.world.apps import app
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.grpc_apps import SERVICE, add, grpc_app
from tests.world.otlp_sink import OtlpSink

TIMEOUT = "mesh-timeout-ms"


@dataclass
class Chain:
    """`front` calls `middle`, and `middle` calls `back` for each request, passing on nothing but the trace."""

    sink: OtlpSink
    session: aiohttp.ClientSession
    told: list[int | None] = field(default_factory=list)
    """What `back` was told, request by request."""
    front: Sidecar = field(init=False)
    middle: Sidecar = field(init=False)
    back: Sidecar = field(init=False)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        told = request.headers.get(TIMEOUT)
        self.told.append(int(told) if told and told.isdigit() else None)
        if request.path == "/hang":
            await asyncio.Event().wait()
        return web.Response(status=int(request.query.get("status", "200")))

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        trace = {name: request.headers[name] for name in ("traceparent", "tracestate")}
        async with self.session.get(f"http://back{request.path_qs}", headers=trace, proxy=self.middle.proxy) as answer:
            reason = answer.headers.get("mesh-reason", "")
            return web.Response(status=answer.status, headers={"x-back-said": reason})

    async def ask(self, service: str, path: str = "/", left_ms: int | None = None) -> tuple[int, str]:
        headers = {} if left_ms is None else {TIMEOUT: str(left_ms)}
        async with self.session.get(f"http://{service}{path}", headers=headers, proxy=self.front.proxy) as answer:
            return answer.status, answer.headers.get("mesh-reason", "")


@pytest.fixture
async def chain(sink: OtlpSink) -> AsyncIterator[Chain]:
    async with contextlib.AsyncExitStack() as stack:
        chain = Chain(sink, await stack.enter_async_context(aiohttp.ClientSession()))
        ends, passes = [await stack.enter_async_context(app(each)) for each in (chain.answer, chain.pass_on)]
        chain.back = await stack.enter_async_context(sidecar("back", app=ends, telemetry=sink.url))
        back = upstream("back", chain.back.endpoint)
        chain.middle = await stack.enter_async_context(sidecar("middle", app=passes, calls=(back,), telemetry=sink.url))
        middle = upstream("middle", chain.middle.endpoint)
        chain.front = await stack.enter_async_context(sidecar("front", calls=(middle, back), telemetry=sink.url))
        yield chain


async def test_a_request_carries_what_is_left_and_only_if_someone_said(chain: Chain) -> None:
    assert await chain.ask("back") == (200, "")
    assert await chain.ask("back", left_ms=60_000) == (200, "")
    assert await chain.ask("middle", left_ms=60_000) == (200, "")
    nothing, direct, through = chain.told
    assert nothing is None
    assert direct is not None
    assert through is not None
    assert 0 < direct <= 60_000
    assert 0 < through <= 60_000, "the call made for a request has no more time than the request"
    await chain.sink.wait(8)
    (first,) = [span for span in chain.sink.of("front") if span["mesh.destination.service"] == "middle"]
    assert first["mesh.deadline_ms"] == 60_000


async def test_nobody_waits_longer_than_the_first_caller(chain: Chain) -> None:
    status, _ = await chain.ask("middle", "/hang", left_ms=400)
    assert status == 504, "by the proxy of whoever heard of it first, or by an application that was told of it in time"
    await chain.sink.wait(4)
    reasons = {
        (span.resource["service.name"], span.kind): span.attributes.get("mesh.reason") for span in chain.sink.spans
    }
    ends = {"deadline_exceeded", "client_cancelled"}
    assert {reasons[("middle", "client")], reasons[("back", "server")]} <= ends
    assert {reasons[("front", "client")], reasons[("middle", "server")]} <= ends | {None}
    assert "deadline_exceeded" in reasons.values()


async def test_the_callees_proxy_holds_to_it_by_itself(chain: Chain) -> None:
    headers = {TIMEOUT: "200"}
    async with chain.session.get(f"http://{chain.back.inbound}/hang", headers=headers) as answer:
        assert (answer.status, answer.headers["mesh-reason"]) == (504, "deadline_exceeded")
    (span,) = await chain.sink.wait(1)
    assert (span.kind, span["mesh.reason"], span["mesh.deadline_ms"]) == ("server", "deadline_exceeded", 200)
    assert span["http.response.status_code"] == 504


async def test_a_request_that_comes_too_late_is_not_sent(chain: Chain) -> None:
    assert await chain.ask("back", left_ms=0) == (504, "deadline_exceeded")
    async with chain.session.get(f"http://{chain.back.inbound}/", headers={TIMEOUT: "0"}) as answer:
        assert answer.status == 504
    assert chain.told == []


async def test_the_time_of_a_route_goes_with_its_requests(chain: Chain) -> None:
    def limited(timeout_ms: int) -> Route:
        return Route(name="r", backends=(Backend(service="back"),), timeout_ms=timeout_ms)

    back = upstream("back", chain.back.endpoint)
    await chain.front.change(services=(back.model_copy(update={"routes": (limited(60_000),)}),))
    for left_ms, most in ((None, 60_000), (90_000, 60_000), (30_000, 30_000)):
        assert await chain.ask("back", left_ms=left_ms) == (200, "")
        told = chain.told.pop()
        assert told is not None
        assert 0 < told <= most
    await chain.front.change(services=(back.model_copy(update={"routes": (limited(300),)}),))
    for _ in range(5):
        assert await chain.ask("back", "/hang", left_ms=60_000) == (504, "route_timeout"), "whoever hears of it first"
    assert await chain.ask("back", "/hang", left_ms=150) == (504, "deadline_exceeded")


async def test_no_attempt_is_made_after_it(chain: Chain) -> None:
    patient = Policy(retry=Retry(attempts=5, on=("5xx",), backoff_ms=60_000, backoff_max_ms=60_000))
    await chain.front.change(services=(upstream("back", chain.back.endpoint, policy=patient),))
    async with asyncio.timeout(30):
        status, _ = await chain.ask("back", "/?status=503", left_ms=1)
    assert status in (503, 504), "answered in its millisecond or not"
    assert len(chain.told) <= 1


async def test_what_cannot_be_read_is_no_deadline(chain: Chain) -> None:
    headers = {TIMEOUT: "soon"}
    async with chain.session.get("http://back/", headers=headers, proxy=chain.front.proxy) as answer:
        assert answer.status == 200
    (client, server) = await chain.sink.wait(2)
    assert "mesh.deadline_ms" not in {*client.attributes, *server.attributes}


@pytest.fixture
async def shop(sink: OtlpSink) -> AsyncIterator[Calls]:
    async with grpc_app() as address, calls(sink, address) as made:
        yield made


async def test_the_deadline_of_a_grpc_call_is_told_in_its_own_words(shop: Calls) -> None:
    left = int(await add(shop.channel, b"left", patience_s=60))
    assert 0 < left <= 60_000
    client, server = await shop.spans()
    for span in (client, server):
        assert 0 < span["mesh.deadline_ms"] <= 60_000


async def test_a_grpc_call_ends_with_its_code_when_time_is_up(shop: Calls) -> None:
    """The caller itself sets no time, so that it is the proxy that ends the call."""
    call = shop.channel.unary_unary(f"/{SERVICE}/Add")
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await call(b"hang", metadata=((TIMEOUT, "300"),))
    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "does not wait any longer" in (ended.value.details() or "")
    left = int(await call(b"left", metadata=((TIMEOUT, "60000"),)))
    assert 0 < left <= 60_000, "the service learns of it by grpc-timeout"
    await shop.sink.wait(4)
    (client,) = [span for span in shop.sink.of("front") if "mesh.reason" in span.attributes]
    assert (client["mesh.reason"], client["rpc.response.status_code"]) == ("deadline_exceeded", "DEADLINE_EXCEEDED")
