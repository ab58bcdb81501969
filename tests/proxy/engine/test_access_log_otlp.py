"""Requests are told of to the collector as log records, with an account of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from proxy.snapshot.access_log import AccessLog
from tests.world.apps import app, echo
from tests.world.collectors import collector
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.otlp_grpc_sink import grpc_sink
from tests.world.otlp_sink import OtlpSink, eventually, otlp_sink
from tests.world.processes import free_port

OTLP = AccessLog(otlp=True)


async def get(session: aiohttp.ClientSession, front: Sidecar, path: str = "/", host: str = "back") -> int:
    async with session.get(f"http://{host}{path}", proxy=front.proxy) as response:
        await response.read()
        return response.status


def account(front: Sidecar) -> dict[str, Any]:
    found: dict[str, Any] = front.stats()["access_log"]["otlp"]
    return found


async def settled(front: Sidecar, recorded: int) -> dict[str, Any]:
    """The account once so many log records were made and each has been dealt with."""

    def done() -> bool:
        now = account(front)
        return now["recorded"] >= recorded and now["pending"] == 0

    await eventually(done, lambda: str(account(front)))
    return account(front)


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
async def test_a_log_record_says_what_its_span_says(
    sink: OtlpSink, session: aiohttp.ClientSession, compression: str
) -> None:
    export = {"log": OTLP, "compression": compression}
    async with (
        app(echo) as address,
        sidecar("back", app=address, telemetry=sink.url, export=export) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=sink.url, export=export) as front,
    ):
        assert await get(session, front, "/orders/17?token=secret") == 200
        spans = {span.span: span for span in await sink.wait(2)}
        logs = {log.span: log for log in await sink.wait_logs(2)}
        assert (await settled(front, 1))["exported"] == 1
    assert logs.keys() == spans.keys()
    for place, span in spans.items():
        log = logs[place]
        assert (log.trace, log.time_ns, log.observed_ns) == (span.trace, span.start_ns, span.end_ns)
        assert (log.severity, log.body) == ((9, "INFO"), f"{span.name} 200")
        assert (log.resource, log.scope) == (span.resource, "whymesh.proxy")
        assert log.attributes == {
            **span.attributes,
            "duration_ms": (span.end_ns - span.start_ns) // 1_000 / 1_000,
            "direction": {"client": "outbound", "server": "inbound"}[span.kind],
            "name": span.name,
            "parent_span_id": span.parent,
        }
        assert "secret" not in str(log)


async def test_the_severity_and_the_body_say_how_it_ended(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    dead = f"127.0.0.1:{free_port()}"
    async with (
        app(echo) as address,
        sidecar(
            "front",
            calls=(upstream("back", address), upstream("gone", dead)),
            telemetry=sink.url,
            export={"log": AccessLog(otlp=True, errors=True)},
        ) as front,
    ):
        assert await get(session, front, "/fine") == 200
        assert await get(session, front, "/pay?status=503") == 503
        assert await get(session, front, "/pay", host="gone") == 503
        logs = await sink.wait_logs(2)
        assert (await settled(front, 2))["recorded"] == 2, "only errors were chosen"
    assert [log.severity for log in logs] == [(17, "ERROR")] * 2
    assert [log.body for log in logs] == ["GET /pay 503", "GET /pay 503 connect_refused"]


async def test_a_collector_over_grpc_gets_them_too(session: aiohttp.ClientSession) -> None:
    async with (
        grpc_sink() as sink,
        app(echo) as address,
        sidecar(
            "front",
            calls=(upstream("back", address),),
            telemetry=sink.url,
            export={"log": OTLP, "protocol": "grpc"},
        ) as front,
    ):
        await get(session, front, "/pay")
        (log,), (span,) = await sink.wait_logs(1), await sink.wait(1)
        assert (log.body, log.trace) == ("GET /pay 200", span.trace)
        assert (await settled(front, 1))["exported"] == 1


async def test_it_is_switched_on_and_off_while_it_serves(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    async with (
        app(echo) as address,
        sidecar("front", calls=(upstream("back", address),), telemetry=sink.url) as front,
    ):
        telemetry = front.snapshot.telemetry
        await get(session, front, "/before")
        await sink.wait(1)
        await front.apply(telemetry=telemetry.model_copy(update={"log": OTLP}))
        await get(session, front, "/on")
        await sink.wait_logs(1)
        async with otlp_sink() as other:
            await front.apply(telemetry=telemetry.model_copy(update={"log": OTLP, "endpoint": other.url}))
            await get(session, front, "/moved")
            await other.wait_logs(1)
            await front.apply(telemetry=telemetry)
            await get(session, front, "/after")
            await sink.wait(3)
            assert (await settled(front, 2))["recorded"] == 2
            assert [log.attributes["url.path"] for log in other.logs] == ["/moved"]
    assert [log.attributes["url.path"] for log in sink.logs] == ["/on"]


async def test_a_batch_is_sent_again_and_batches_are_bounded(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    sink.log_refusals += [web.Response(status=503), web.Response(status=429)]
    async with (
        app(echo) as address,
        sidecar(
            "front",
            calls=(upstream("back", address),),
            telemetry=sink.url,
            batch_records=3,
            export={"log": OTLP},
        ) as front,
    ):
        await asyncio.gather(*(get(session, front, f"/{place}") for place in range(20)))
        found = await settled(front, 20)
        assert (found["exported"], found["retries"], found["problem"]) == (20, 2, "")
    assert max(sink.log_batches) <= 3
    assert {log.attributes["url.path"] for log in sink.logs} == {f"/{place}" for place in range(20)}
    assert len(sink.logs) == 20


async def test_what_is_refused_for_good_is_counted(sink: OtlpSink, session: aiohttp.ClientSession) -> None:
    sink.log_refusals.append(web.Response(status=400))
    async with (
        app(echo) as address,
        sidecar("front", calls=(upstream("back", address),), telemetry=sink.url, export={"log": OTLP}) as front,
    ):
        await get(session, front)
        found = await settled(front, 1)
        assert (found["dropped"]["rejected"], found["problem"]) == (1, "the collector answered 400 Bad Request")
        await sink.wait(1)
        assert front.stats()["records"]["dropped"]["rejected"] == 0, "the spans have an account of their own"


async def test_without_a_collector_they_are_dropped_and_counted(session: aiohttp.ClientSession) -> None:
    async with (
        app(echo) as address,
        sidecar("front", calls=(upstream("back", address),), export={"log": OTLP}) as front,
    ):
        await get(session, front)
        assert (await settled(front, 1))["dropped"]["unsendable"] == 1


async def test_what_waits_is_counted_when_the_collector_stays_away(session: aiohttp.ClientSession) -> None:
    async with (
        app(echo) as address,
        sidecar(
            "front",
            calls=(upstream("back", address),),
            telemetry=f"http://127.0.0.1:{free_port()}/v1/traces",
            export={"log": OTLP},
        ) as front,
    ):
        for place in range(5):
            await get(session, front, f"/{place}")
        await eventually(lambda: account(front)["retries"] >= 2, lambda: str(account(front)))
        assert "is away" in account(front)["problem"]
        telemetry = front.snapshot.telemetry
        await front.apply(telemetry=telemetry.model_copy(update={"log": AccessLog()}))
        assert (await settled(front, 5))["dropped"]["stopped"] == 5


async def test_rows_are_in_the_collector_s_table(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    with collector(tmp_path) as store:
        async with (
            app(echo) as address,
            sidecar(
                "front",
                calls=(upstream("back", address),),
                telemetry=store.url("http", "/v1/traces"),
                export={"log": OTLP, "compression": "zstd"},
            ) as front,
        ):
            for place in range(30):
                assert await get(session, front, "/pay" if place else "/pay?status=503") == (200 if place else 503)
            assert (await settled(front, 30))["exported"] == 30
            await front.idle()
        await asyncio.to_thread(store.settle)
        joined = """SELECT count(), uniqExact(l.TraceId), countIf(l.SeverityText = 'ERROR' AND l.Body = 'GET /pay 503')
                    FROM otel.otel_logs AS l JOIN otel.otel_traces AS t ON l.TraceId = t.TraceId AND l.SpanId = t.SpanId
                    WHERE l.ServiceName = 'front' AND l.LogAttributes['mesh.destination.service'] = 'back'"""
        assert await asyncio.to_thread(store.query, joined) == [(30, 30, 1)]
