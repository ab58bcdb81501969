"""Looking on: requests as they end and those that are kept, as JSON lines, without holding anything up."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from proxy._engine import View
from tests.proxy.engine.conftest import Pair
from tests.world.apps import app, echo
from tests.world.engines import sidecar
from tests.world.otlp_sink import OtlpSink, eventually


async def lines(view: View, count: int) -> list[dict[str, Any]]:
    """So many lines, as soon as they are there."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            read = await asyncio.to_thread(view.read, 0.2)
            assert read is not None, f"it ended after {found}"
            found += map(json.loads, read.splitlines())
    return found


async def call(pair: Pair, *paths: str) -> None:
    for path in paths:
        async with pair.call(path) as response:
            await response.read()


async def test_requests_are_shown_as_their_spans_say_them(pair: Pair) -> None:
    view = pair.front.engine.view({})
    await call(pair, "/orders/17?status=503")
    (shown,) = await lines(view, 1)
    (span,) = await pair.sink.wait(1, "front")
    assert {name: shown[name] for name in span.attributes} == span.attributes
    assert (shown["trace_id"], shown["span_id"], shown["name"]) == (span.trace, span.span, span.name)
    assert (shown["direction"], shown["error"]) == ("outbound", True)
    assert shown["duration_ms"] == pytest.approx(span.duration_ms, abs=0.002)


async def test_only_what_is_wanted_is_shown(pair: Pair) -> None:
    wishes = [
        {"service": "back", "path": "/a*"},
        {"status": "5xx"},
        {"service": "nobody"},
        {"min": "1h"},
        {"direction": "inbound"},
        {"limit": "1"},
        {"reason": "any"},
    ]
    views = [pair.front.engine.view(wish) for wish in wishes]
    async with pair.session.get("http://stranger/x", proxy=pair.front.proxy) as response:
        assert response.status == 502
    await call(pair, "/a/1", "/b?status=500", "/c")
    seen = [
        [one["url.path"] for one in await lines(view, count)] for view, count in zip(views[:2], (1, 2), strict=True)
    ]
    assert seen == [["/a/1"], ["/x", "/b"]]
    limited = await lines(views[5], 1)
    assert [one["url.path"] for one in limited] == ["/x"]
    assert views[5].read(5) is None, "one was asked for"
    assert [one["mesh.reason"] for one in await lines(views[6], 1)] == ["unknown_service"]
    await eventually(lambda: pair.front.stats()["records"]["pending"] == 0, "every page to be seen")
    assert [view.read(0) for view in views[2:5]] == [b"", b"", b""]


async def test_the_last_requests_are_shown_whether_they_were_sent_or_not(
    sink: OtlpSink, session: aiohttp.ClientSession
) -> None:
    recorder = {"mode": "recorder", "ring_bytes": 1 << 20}
    async with app(echo) as address, sidecar("back", app=address, telemetry=sink.url, export=recorder) as back:
        for path in ("/a", "/b?status=500", "/c"):
            async with session.get(f"http://{back.inbound}{path}") as response:
                await response.read()
        await eventually(lambda: back.stats()["records"]["held"] == 2, "the records to be kept")
        view = back.engine.view({"since": "1m"})
        assert [one["url.path"] for one in await lines(view, 3)] == ["/a", "/b", "/c"]
        assert view.read(5) is None, "nothing follows"
        slow = back.engine.view({"since": "1m", "status": "500", "follow": "true"})
        async with session.get(f"http://{back.inbound}/d?status=500") as response:
            await response.read()
        assert [one["url.path"] for one in await lines(slow, 2)] == ["/b", "/d"]
        assert back.stats()["records"]["held"] == 2, "looking changes nothing"
        slow.close()


async def test_onlookers_are_few_and_one_that_leaves_makes_room(pair: Pair) -> None:
    engine = pair.front.engine
    views = [engine.view({}) for _ in range(8)]
    with pytest.raises(RuntimeError, match="8 look on already"):
        engine.view({})
    for view in views:
        view.close()
    del view, views
    await call(pair, "/a")

    def room() -> bool:
        try:
            engine.view({"limit": "1"})
        except RuntimeError:
            return False
        return True

    await eventually(room, "the exporter to let go of those that have left")


async def test_who_never_reads_holds_nobody_up(pair: Pair) -> None:
    view = pair.front.engine.view({})
    path = "/" + "x" * 1_000
    for _ in range(20):
        await asyncio.gather(*(call(pair, *[path] * 8) for _ in range(8)))
    assert pair.front.counted(direction="outbound") == 1_280
    await eventually(lambda: pair.front.stats()["records"]["pending"] == 0, "every page to be seen")
    read = view.read(0)
    assert read is not None
    shown = [json.loads(one) for one in read.splitlines()]
    assert len(read) < 2_200_000
    assert shown[-1]["missed"] + len(shown) - 1 == 1_280
    await pair.front.drain()
    assert view.read(5) is None, "the proxy has ended"


@pytest.mark.parametrize("wish", [{"status": "6xx"}, {"reason": "because"}, {"min": "fast"}, {"colour": "red"}])
async def test_a_wish_that_makes_no_sense_is_named(pair: Pair, wish: dict[str, str]) -> None:
    ((name, value),) = wish.items()
    with pytest.raises(ValueError, match=f"{name}={value}: "):
        pair.front.engine.view(wish)
