"""What a service lets in: rates to the token, by caller and path, and who comes first."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from proxy._engine import SnapshotRefused
from proxy.metrics import render
from proxy.snapshot.gate import Concurrency, OwnRate, Priority, Rate, RateKey, Shedding
from proxy.snapshot.policies import Policy, Retry
from tests.proxy.engine.gated import Shop, limit, ok, running, under
from tests.world.apps import app, dial, head
from tests.world.engines import sidecar, upstream
from tests.world.otlp_sink import OtlpSink


@pytest.fixture
async def shop(sink: OtlpSink) -> AsyncIterator[Shop]:
    async with running(ok, sink) as shop:
        yield shop


async def test_a_burst_passes_and_one_more_does_not(shop: Shop, sink: OtlpSink) -> None:
    await shop.let_in(rate_limits=(limit(1, 7, 5_000),))
    assert await shop.statuses(7) == {200: 7}
    status, headers = await shop.ask()
    assert (status, headers["mesh-reason"]) == (429, "rate_limited")
    assert 1 <= int(headers["retry-after"]) <= 5
    assert await shop.statuses(5) == {429: 5}
    assert shop.values("rate_limit", "all")["refused"] == shop.back.stats()["refused"]["rate_limited"] == 6
    refused = [span for span in await sink.wait(13) if "mesh.reason" in span.attributes]
    assert [(span["mesh.reason"], span["http.response.status_code"]) for span in refused] == [("rate_limited", 429)] * 6
    assert {(span["mesh.limit"], span["mesh.limit.at"]) for span in refused} == {("rateLimits all", 1)}
    assert not any(span.error for span in refused), "4xx is the caller's affair"


async def test_tokens_come_back_at_the_rate(shop: Shop) -> None:
    await shop.let_in(rate_limits=(limit(20, 5, 1_000),))
    began = time.monotonic()
    seen: Counter[int] = Counter()
    while seen[200] < 20:
        seen += await shop.statuses(1)
    took = time.monotonic() - began
    assert set(seen) == {200, 429}
    assert seen[200] <= 5 + 20 * took + 1, "never more than was saved up and has come back since"


async def test_each_caller_has_a_limit_of_its_own(shop: Shop) -> None:
    own = OwnRate(key="batch", rate=Rate(requests=1, per_ms=60_000, burst=1))
    await shop.let_in(rate_limits=(limit(1, 3, by=RateKey(kind="source"), own=(own,)),))
    for caller, passed in (("front", 3), ("admin", 3), ("batch", 1)):
        claim = {"x-mesh-source": f"{caller}/v1/{caller}-1"}
        assert await shop.statuses(5, **claim) == {200: passed, 429: 5 - passed}
    by_user = limit(1, 1, by=RateKey(kind="header", name="x-user"), keys=2)
    await shop.let_in(rate_limits=(by_user,))
    answers = [(await shop.ask(**{"x-user": user}))[0] for user in "1122334"]
    assert answers == [200, 429, 200, 429, 200, 429, 429], "from the third user on they share one"
    assert shop.values("rate_limit", "all") == {"refused": 4, "keys": 2}


async def test_a_path_has_a_limit_within_that_of_all(shop: Shop) -> None:
    await shop.let_in(rate_limits=(limit(1, 6), limit(1, 2, name="search", matches=under("/search"))))
    assert await shop.statuses(5, "/search/a") == {200: 2, 429: 3}
    assert await shop.statuses(5, "/other") == {200: 4, 429: 1}, "what one limit refuses costs the other nothing"
    assert (shop.values("rate_limit", "search")["refused"], shop.values("rate_limit", "all")["refused"]) == (3, 1)


async def test_health_checks_are_let_in_whatever_the_limits_say(shop: Shop) -> None:
    await shop.let_in(rate_limits=(limit(1, 1),), priority=Priority(spared=under("/healthz")))
    assert await shop.statuses(2) == {200: 1, 429: 1}
    assert await shop.statuses(3, "/healthz") == {200: 3}
    assert shop.values("rate_limit", "all")["refused"] == 1


async def test_a_caller_says_which_of_its_requests_are_retries(sink: OtlpSink) -> None:
    retries: list[str | None] = []

    async def reluctant(request: web.Request) -> web.StreamResponse:
        retries.append(request.headers.get("mesh-retry"))
        return web.Response(status=503 if len(retries) < 3 else 200)

    policy = Policy(retry=Retry(attempts=3, on=("5xx",), backoff_ms=1, backoff_max_ms=1))
    async with (
        app(reluctant) as address,
        sidecar("front", calls=(upstream("shop", address, policy=policy),), telemetry=sink.url) as front,
        aiohttp.ClientSession() as session,
        session.get("http://shop/", proxy=front.proxy) as response,
    ):
        assert response.status == 200
    assert retries == [None, "1", "2"]


async def test_how_a_policy_stands_is_a_gauge(shop: Shop) -> None:
    await shop.let_in(rate_limits=(limit(1, 1),), concurrency=Concurrency(least=3))
    await shop.statuses(3)
    families = {one.name: one for one in text_string_to_metric_families(render(shop.back.stats()))}
    values = {
        (sample.labels["policy"], sample.labels["name"], sample.labels["value"]): sample.value
        for sample in families["whymesh_proxy_policy"].samples
        if sample.labels["service"] == "shop"
    }
    assert values[("rate_limit", "all", "refused")] == 2
    assert values[("concurrency", "", "limit")] == 3
    assert values[("concurrency", "", "in_flight")] == 0


async def test_each_knob_changes_while_a_connection_stays(shop: Shop) -> None:
    none: dict[str, Any] = {}
    steps: list[tuple[dict[str, Any], Callable[[int], bool]]] = [
        (none, lambda status: status == 200),
        ({"rate_limits": (limit(1, 1),)}, lambda status: status == 200),
        ({"rate_limits": (limit(1, 1),), "concurrency": Concurrency()}, lambda status: status == 429),
        ({"rate_limits": (limit(1, 1), limit(1, 1, name="b"))}, lambda status: status == 429),
        ({"rate_limits": (limit(1, 1, matches=under("/no")),)}, lambda status: status == 200),
        ({"concurrency": Concurrency(least=1, most=1)}, lambda status: status == 200),
        ({"shedding": Shedding(lag_ms=60_000)}, lambda status: status == 200),
        (none, lambda status: status == 200),
    ]
    async with dial(shop.back.inbound) as (reader, writer):
        for parts, wanted in steps:
            await shop.let_in(**parts)
            writer.write(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n")
            answer = await asyncio.wait_for(head(reader), 5)
            assert wanted(int(answer.split()[1])), (parts, answer)
            length = next(line for line in answer.lower().splitlines() if line.startswith("content-length:"))
            await reader.readexactly(int(length.split(":")[1]))
        assert shop.back.stats()["policies"] == [], "what is not configured is not shown"


async def test_a_gate_that_cannot_be_is_refused(shop: Shop) -> None:
    with pytest.raises(SnapshotRefused, match=r"inbound\.gate\.rate_limits\[0\]\.by: needs the name of the header"):
        await shop.let_in(rate_limits=(limit(1, 1, by=RateKey(kind="header")),))
    assert await shop.statuses(2) == {200: 2}
