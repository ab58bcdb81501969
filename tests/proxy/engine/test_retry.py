"""Requests that fail are sent again: only when that is safe, within a budget, each attempt a span of its own."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from proxy.snapshot import Policy, Upstream
from proxy.snapshot.policies import Retry
from proxy.snapshot.routes import Backend, Route, RouteRetry
from tests.world.apps import Handler, app, talker
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.otlp_sink import OtlpSink


def service(*addresses: str, **retry: Any) -> Upstream:
    return upstream("back", *addresses, policy=Policy(retry=Retry(**{"backoff_ms": 0, **retry})))


def failing(times: int, status: int, seen: list[str]) -> Handler:
    """Fails so many requests, then answers what it was sent."""

    async def answer(request: web.Request) -> web.StreamResponse:
        text = await request.text()
        seen.append(f"{request.method} {text}".strip())
        if len(seen) <= times:
            return web.Response(status=status)
        return web.Response(text=text)

    return answer


async def call(front: Sidecar, session: aiohttp.ClientSession, method: str = "GET", **more: Any) -> tuple[int, str]:
    async with session.request(method, "http://back/", proxy=front.proxy, **more) as response:
        return response.status, await response.text()


async def test_a_failed_request_is_sent_again(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    seen: list[str] = []
    async with (
        app(failing(2, 503, seen)) as back,
        sidecar("front", calls=(service(back, attempts=3),), telemetry=sink.url) as front,
    ):
        assert await call(front, session, "PUT", data=b"x" * 30_000) == (200, "x" * 30_000)
        assert seen == [f"PUT {'x' * 30_000}"] * 3, "the body came whole each time"
        spans = await sink.wait(3)
        assert front.counted(direction="outbound") == front.counted(status="2xx") == 1
    assert [span["mesh.attempt"] for span in spans] == [1, 2, 3]
    assert [span["http.response.status_code"] for span in spans] == [503, 503, 200]
    assert [span.attributes.get("http.request.resend_count") for span in spans] == [None, 1, 2]
    assert len({span.span for span in spans}) == 3
    assert len({span.parent for span in spans}) == 1


@pytest.mark.parametrize(
    ("method", "body", "retry", "asked"),
    [
        ("POST", b"x", {"attempts": 3}, 1),
        ("PUT", b"x" * 100, {"attempts": 3, "body_bytes": 99}, 1),
        ("GET", None, {"attempts": 3, "on": ("reset",)}, 1),
        ("GET", None, {"attempts": 3, "on": (), "statuses": (503,)}, 3),
        ("GET", None, {"attempts": 1}, 1),
        ("DELETE", None, {"attempts": 2, "on": ("5xx",)}, 2),
    ],
    ids=["unsafe", "too long to keep", "not asked for", "by its status", "once", "server error"],
)
async def test_what_is_sent_again(
    session: aiohttp.ClientSession, method: str, body: bytes | None, retry: dict[str, Any], asked: int
) -> None:
    seen: list[str] = []
    async with app(failing(9, 503, seen)) as back, sidecar("front", calls=(service(back, **retry),)) as front:
        assert (await call(front, session, method, data=body))[0] == 503
    assert len(seen) == asked


async def test_an_answer_cut_off_before_it_began_is_asked_for_again(session: aiohttp.ClientSession) -> None:
    connections: list[int] = []

    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        connections.append(1)

    async with talker(slam) as back, sidecar("front", calls=(service(back, attempts=3),)) as front:
        status, text = await call(front, session)
    assert (status, len(connections)) == (502, 3)
    assert "closed the connection" in text


async def test_the_budget_keeps_an_outage_from_growing(session: aiohttp.ClientSession) -> None:
    seen: list[str] = []
    policy = {"attempts": 3, "budget_percent": 20, "budget_per_s": 0}
    async with app(failing(10_000, 503, seen)) as back, sidecar("front", calls=(service(back, **policy),)) as front:
        for _ in range(200):
            assert (await call(front, session))[0] == 503
    assert 230 <= len(seen) <= 240


async def test_retries_make_up_for_an_instance_that_fails(session: aiohttp.ClientSession) -> None:
    async def bad(request: web.Request) -> web.StreamResponse:
        return web.Response(status=502)

    async def good(request: web.Request) -> web.StreamResponse:
        return web.Response(text="ok")

    async with app(bad) as a, app(good) as b, sidecar("front", calls=(service(a, b, budget_percent=100),)) as front:
        answers = Counter([(await call(front, session))[0] for _ in range(60)])
    assert answers == {200: 60}, "the second attempt goes to the other instance"


async def test_attempts_wait_for_each_other_and_for_no_longer_than_there_is_time(
    session: aiohttp.ClientSession,
) -> None:
    seen: list[str] = []
    slow = {"attempts": 10, "backoff_ms": 400, "backoff_max_ms": 400}
    async with app(failing(99, 503, seen)) as back, sidecar("front", calls=()) as front:
        routed = service(back, **slow).model_copy(
            update={"routes": (Route(name="r", backends=(Backend(service="back"),), timeout_ms=600),)}
        )
        await front.change(services=(routed,))
        began = time.monotonic()
        assert (await call(front, session))[0] == 503
        assert time.monotonic() - began < 1.5
    assert 2 <= len(seen) <= 9


def ruled(back: Upstream, **retry: Any) -> Upstream:
    route = Route(name="r", backends=(Backend(service="back"),), retry=RouteRetry(**retry))
    return back.model_copy(update={"routes": (route,)})


async def test_a_rule_has_the_last_word_and_takes_it_live(session: aiohttp.ClientSession) -> None:
    seen: list[str] = []
    async with app(failing(1_000, 500, seen)) as back, sidecar("front", calls=()) as front:

        async def asked(service: Upstream) -> int:
            await front.change(services=(service,))
            seen.clear()
            assert (await call(front, session))[0] == 500
            return len(seen)

        usual, none = service(back, attempts=2, on=("5xx",)), upstream("back", back)
        assert await asked(usual) == 2
        assert await asked(ruled(usual, attempts=4)) == 4, "for what the policy says"
        assert await asked(ruled(usual, attempts=1)) == 1
        assert await asked(ruled(usual, statuses=(503,), attempts=4)) == 1
        assert await asked(ruled(none, attempts=3)) == 1, "a server error is none of the defaults"
        assert await asked(ruled(none, attempts=3, statuses=(500,), pause_ms=1)) == 3, "without a policy"
        assert await asked(none) == 1


async def test_the_pause_of_a_rule_is_the_least(session: aiohttp.ClientSession) -> None:
    seen: list[str] = []
    async with app(failing(2, 503, seen)) as back, sidecar("front", calls=()) as front:
        await front.change(services=(ruled(service(back), attempts=3, pause_ms=100),))
        began = time.monotonic()
        assert (await call(front, session))[0] == 200
        assert time.monotonic() - began > 0.2


async def test_rules_share_the_budget_of_their_backend(session: aiohttp.ClientSession) -> None:
    seen: list[str] = []
    policy = {"budget_percent": 20, "budget_per_s": 0}
    async with app(failing(10_000, 503, seen)) as back, sidecar("front", calls=()) as front:
        for attempts in (3, 4):
            await front.change(services=(ruled(service(back, **policy), attempts=attempts),))
            for _ in range(100):
                assert (await call(front, session))[0] == 503
    assert 230 <= len(seen) <= 240, "and keep what is left of it when they change"
