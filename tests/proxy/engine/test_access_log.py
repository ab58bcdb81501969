"""Requests are logged as lines of JSON, where and which the configuration says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy.snapshot.access_log import AccessLog
from tests.world.apps import app, echo
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.otlp_sink import OtlpSink, eventually
from tests.world.processes import free_port

Line = dict[str, Any]


async def lines(path: Path, count: int) -> list[Line]:
    """What has been logged, once there is so much of it."""

    def found() -> list[Line]:
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    await eventually(lambda: len(found()) >= count, lambda: f"{count} lines, not {found()}")
    return found()


async def get(session: aiohttp.ClientSession, front: Sidecar, path: str = "/") -> int:
    async with session.get(f"http://back{path}", proxy=front.proxy) as response:
        await response.read()
        return response.status


async def test_a_line_says_what_its_span_says(sink: OtlpSink, session: aiohttp.ClientSession, tmp_path: Path) -> None:
    log = AccessLog(file=str(tmp_path / "access.log"))
    async with (
        app(echo) as address,
        sidecar("back", app=address, telemetry=sink.url, export={"log": log}) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=sink.url, export={"log": log}) as front,
    ):
        assert await get(session, front, "/orders/17?token=secret") == 200
        spans = {span.kind: span for span in await sink.wait(2)}
        logged = {line["direction"]: line for line in await lines(tmp_path / "access.log", 2)}
        said = front.stats()["access_log"]
        assert (said["written"], said["dropped"], said["problem"]) == (1, 0, "")
        assert said["otlp"]["recorded"] == 0
    for kind, span in spans.items():
        line = logged[{"client": "outbound", "server": "inbound"}[kind]]
        assert (line["trace_id"], line["span_id"]) == (span.trace, span.span)
        assert line["duration_ms"] == (span.end_ns - span.start_ns) // 1_000 / 1_000
        assert {name: line.get(name) for name in span.attributes} == span.attributes
        assert "secret" not in json.dumps(line)


async def test_only_errors_and_the_slow_where_they_are_chosen(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    dead = f"127.0.0.1:{free_port()}"
    chosen = {"log": AccessLog(file=str(path), errors=True, slow_ms=3_600_000)}
    async with (
        app(echo) as address,
        sidecar("front", calls=(upstream("back", address), upstream("gone", dead)), export=chosen) as front,
    ):
        assert await get(session, front) == 200
        assert await get(session, front, "/?status=503") == 503
        async with session.get("http://gone/", proxy=front.proxy) as response:
            assert response.status == 503
        failed, refused = await lines(path, 2)
        assert (failed["http.response.status_code"], failed["error.type"]) == (503, "503")
        assert (refused["mesh.reason"], refused["mesh.destination.service"]) == ("connect_refused", "gone")
        slow = front.snapshot.telemetry.model_copy(update={"log": AccessLog(file=str(path), slow_ms=1)})
        await front.apply(telemetry=slow)
        for _ in range(20):
            await get(session, front)
        await front.idle()
        assert all(line["duration_ms"] >= 1 for line in (await lines(path, 2))[2:])


async def test_it_is_switched_on_and_off_while_it_serves(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with app(echo) as address, sidecar("front", calls=(upstream("back", address),)) as front:
        telemetry = front.snapshot.telemetry
        await get(session, front, "/before")
        await front.idle()
        assert not path.exists()
        await front.apply(telemetry=telemetry.model_copy(update={"log": AccessLog(file=str(path))}))
        await get(session, front, "/on")
        assert [line["url.path"] for line in await lines(path, 1)] == ["/on"]
        await front.apply(telemetry=telemetry)
        await get(session, front, "/after")
        await front.idle()
    assert [line["url.path"] for line in await lines(path, 1)] == ["/on"]


async def test_standard_output_gets_whole_lines(
    session: aiohttp.ClientSession, capfd: pytest.CaptureFixture[str]
) -> None:
    async with (
        app(echo) as address,
        sidecar("front", calls=(upstream("back", address),), export={"log": AccessLog(stdout=True)}) as front,
    ):
        await asyncio.gather(*(get(session, front, f"/{place}") for place in range(30)))
        assert await front.drain()
        assert front.stats()["access_log"]["written"] == 30
    paths = {json.loads(line)["url.path"] for line in capfd.readouterr().out.splitlines()}
    assert paths == {f"/{place}" for place in range(30)}


async def test_a_place_that_cannot_be_written_holds_up_nothing(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "access.log"
    async with (
        app(echo) as address,
        sidecar("front", calls=(upstream("back", address),), export={"log": AccessLog(file=str(path))}) as front,
    ):
        assert await get(session, front) == 200

        def said() -> bool:
            log = front.stats()["access_log"]
            return log["dropped"] == 1 and str(path) in log["problem"] and log["written"] == 0

        await eventually(said, lambda: str(front.stats()["access_log"]))
        path.parent.mkdir()
        await get(session, front, "/again")
        assert [line["url.path"] for line in await lines(path, 1)] == ["/again"]
        await eventually(lambda: front.stats()["access_log"]["problem"] == "", "the problem is over")
