"""A request that waits for long is sent to a second instance too: the first good answer counts."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from proxy.snapshot import Policy, Upstream
from proxy.snapshot.policies import Balancer, Hedge, Retry
from tests.world.apps import Handler, app, head, talker
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.otlp_sink import OtlpSink, eventually

LONG = "x" * 30_000


def service(*addresses: str, after_ms: int = 50, **retry: Any) -> Upstream:
    """Its first address is asked first."""
    policy = Policy(
        balancer=Balancer(kind="roundRobin"),
        hedge=Hedge(after_ms=after_ms) if after_ms else None,
        retry=Retry(**retry) if retry else None,
    )
    return upstream("back", *addresses, policy=policy)


async def call(front: Sidecar, session: aiohttp.ClientSession, method: str = "GET", **more: Any) -> tuple[int, str]:
    async with session.request(method, "http://back/", proxy=front.proxy, **more) as response:
        return response.status, await response.text()


class Hanging:
    """An instance that reads a request, never answers it, and knows when it has been given up."""

    def __init__(self) -> None:
        self.given_up = asyncio.Event()
        self.asked = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        self.asked += 1
        while await reader.read(65_536):
            pass
        self.given_up.set()


async def repeat(request: web.Request) -> web.StreamResponse:
    return web.Response(text=await request.text())


def after(event: asyncio.Event, status: int) -> Handler:
    """Answers once something has happened."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await event.wait()
        return web.Response(status=status, text=f"after {status}")

    return answer


async def test_the_first_answer_counts_and_the_other_attempt_is_given_up(
    sink: OtlpSink, session: aiohttp.ClientSession
) -> None:
    slow = Hanging()
    async with (
        talker(slow.talk) as one,
        app(repeat) as other,
        sidecar("front", calls=(service(one, other, after_ms=0),), telemetry=sink.url) as front,
    ):
        await front.change(services=(service(one, other),))
        assert await call(front, session, "PUT", data=LONG) == (200, LONG), "the body came whole to the other"
        await asyncio.wait_for(slow.given_up.wait(), 10)
        lost, won = sorted(await sink.wait(2), key=lambda span: span["mesh.attempt"])
        assert front.counted(direction="outbound") == front.counted(status="2xx") == 1, "one request"
    assert (lost["mesh.attempt"], won["mesh.attempt"]) == (1, 2)
    assert lost["mesh.reason"] == "hedge_lost"
    assert "http.response.status_code" not in lost.attributes
    assert not lost.error
    assert (won["http.response.status_code"], won["http.request.resend_count"]) == (200, 1)
    assert "mesh.reason" not in won.attributes
    assert (lost.trace, lost.parent) == (won.trace, won.parent)
    assert lost.span != won.span
    assert {span["mesh.destination.instance"] for span in (lost, won)} == {"back-1", "back-2"}
    assert lost.start_ns < won.start_ns < lost.end_ns


@pytest.mark.parametrize(
    ("method", "body", "policy", "instances"),
    [
        ("POST", "x", {}, 2),
        ("PATCH", "x", {}, 2),
        ("PUT", LONG, {"body_bytes": 29_999}, 2),
        ("GET", None, {"budget_percent": 0, "budget_per_s": 0}, 2),
        ("GET", None, {}, 1),
        ("GET", None, {"after_ms": 0}, 2),
    ],
    ids=["unsafe", "unsafe too", "too long to keep", "no budget", "nobody else", "off"],
)
async def test_what_is_sent_once(
    session: aiohttp.ClientSession, method: str, body: str | None, policy: dict[str, Any], instances: int
) -> None:
    asked = 0

    async def late(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.3)
        return await repeat(request)

    async with (
        app(late) as one,
        app(late) as other,
        sidecar("front", calls=(service(*(one, other)[:instances], **{"after_ms": 20} | policy),)) as front,
    ):
        assert await call(front, session, method, data=body) == (200, body or "")
    assert asked == 1


async def test_a_bad_answer_is_no_answer_while_there_may_be_a_good_one(
    sink: OtlpSink, session: aiohttp.ClientSession
) -> None:
    failed = asyncio.Event()

    async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await reader.read()
        failed.set()

    async with (
        app(after(failed, 200)) as one,
        talker(fail) as other,
        sidecar("front", calls=(service(one, other),), telemetry=sink.url) as front,
    ):
        assert await call(front, session) == (200, "after 200")
        spans = sorted(await sink.wait(2), key=lambda span: span["mesh.attempt"])
        assert front.counted(direction="outbound") == front.counted(status="2xx") == 1
    assert [span["http.response.status_code"] for span in spans] == [200, 503]
    assert [span.error for span in spans] == [False, True]


async def test_when_both_fail_the_request_goes_on_as_its_policy_says(
    sink: OtlpSink, session: aiohttp.ClientSession
) -> None:
    failed = asyncio.Event()
    asked = {"one": 0, "other": 0}

    def fails_once(name: str, fail: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            asked[name] += 1
            return await fail(request) if asked[name] == 1 else web.Response(text="at last")

        return answer

    async def at_once(request: web.Request) -> web.StreamResponse:
        failed.set()
        return web.Response(status=503)

    async with (
        app(fails_once("one", after(failed, 502))) as one,
        app(fails_once("other", at_once)) as other,
        sidecar("front", calls=(service(one, other, attempts=3, backoff_ms=0),), telemetry=sink.url) as front,
    ):
        assert await call(front, session) == (200, "at last")
        spans = sorted(await sink.wait(3), key=lambda span: span["mesh.attempt"])
        assert front.counted(direction="outbound") == front.counted(status="2xx") == 1
    assert [span["mesh.attempt"] for span in spans] == [1, 2, 3]
    assert [span["http.response.status_code"] for span in spans] == [502, 503, 200]


async def test_a_caller_that_leaves_takes_both_attempts_along(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    one, other = Hanging(), Hanging()
    async with (
        talker(one.talk) as first,
        talker(other.talk) as second,
        sidecar("front", calls=(service(first, second),), telemetry=sink.url) as front,
    ):
        calling = asyncio.create_task(call(front, session))
        await eventually(lambda: other.asked == 1, "the second copy to arrive")
        calling.cancel()
        await asyncio.wait_for(asyncio.gather(one.given_up.wait(), other.given_up.wait()), 10)
        spans = await sink.wait(2)
        assert front.counted(direction="outbound") == 1
    assert {span["mesh.reason"] for span in spans} == {"client_cancelled"}
