"""A store that holds the shop's telemetry, served by a process of its own.

In: a folder and a scene: ten minutes with an incident at their end, one calm minute, or nothing. Out: the address of
the store's native door. The simulated requests go the way real ones do: OTLP bytes, Native blocks, `otel_traces`, and
the views fill the roll-ups. Run as `python -m tests.world.telemetry FOLDER SCENE`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from collector._columnar import encode_metrics, encode_traces
from collector.store.client import Reader
from collector.store.doors.native import serve_native
from collector.store.embedded import EmbeddedStore
from proxy.counts import Counts
from rootcause.explain.finding import (
    Contribution,
    Culprit,
    Evidence,
    Figures,
    Finding,
    Gap,
    Note,
    OnPath,
    Ranked,
    RuledOut,
    Symptom,
    Windows,
)
from rootcause.incidents.journal import Journal
from rootcause.load.changes import Change
from rootcause.load.spans import Kind
from rootcause.promises.alarm_rows import AlarmRows
from rootcause.promises.alarms import Alarm
from tests.world.mesh_sim import Fault, Proxied, Shop, otlp
from tests.world.otlp_requests import attribute
from tests.world.processes import Process, until
from tests.world.secured import secured

SERVICES = ("front", "catalog", "recommendations", "cart", "checkout", "payments", "shipping", "inventory")
CULPRIT = "payments"
INCIDENT = "inc-payments"
TITLE = "POST /checkout +240 ms: 94 % is payments' own time"
HISTORY = timedelta(minutes=10)
FAULT = timedelta(minutes=3)
CALM = timedelta(minutes=1)
RATE = 6.0
Scene = Literal["incident", "calm", "empty"]


@contextlib.contextmanager
def seeded_store(folder: Path, scene: Scene = "incident") -> Iterator[str]:
    """The address of a store in a process that lives as long as the block."""
    announced = folder / "address"
    process = Process("tests.world.telemetry", str(folder), scene, log=folder / "store.log")
    try:
        until(lambda: announced.exists() or _ended(process), "the store to be filled and served", patience_s=90)
        yield announced.read_text()
    finally:
        process.terminate()


def _ended(process: Process) -> bool:
    ended = process.ended()
    assert ended is None, f"the store's process ended with {ended}:\n{process.output()}"
    return False


def spans(now: datetime, scene: Scene) -> list[Proxied]:
    """The shop's traffic until `now`; in an incident, one service is slow and fails now and then at the end of it."""
    if scene == "empty":
        return []
    if scene == "calm":
        return Shop(7, rate=RATE).run((now - CALM).timestamp(), CALM.total_seconds())
    broke = (now - FAULT).timestamp()
    faults = (Fault("latency", CULPRIT, 240.0, broke), Fault("errors", CULPRIT, 0.08, broke))
    return secured(Shop(7, rate=RATE, faults=faults).run((now - HISTORY).timestamp(), HISTORY.total_seconds()))


def rollout(at: datetime) -> ExportTraceServiceRequest:
    """A new build of the culprit."""
    return change(at, "rollout", "payments: build 41 to build 42", "ci", service=CULPRIT)


def certificate(at: datetime) -> ExportTraceServiceRequest:
    """The culprit's proxy gets one."""
    ends = at + timedelta(days=1)
    said = f"payments-1 joined as spiffe://mesh.local/ns/default/sa/payments with a node key, until {ends:%F %T} UTC"
    return change(at, "certificate", said, "from 127.0.0.1", service=CULPRIT, instance="payments-1")


def change(at: datetime, kind: str, summary: str, actor: str, **whose: str) -> ExportTraceServiceRequest:
    """The span by which a control plane reports a change."""
    said = {"kind": kind, "summary": summary, "actor": actor, **whose}
    values = {f"mesh.change.{name}": value for name, value in said.items()} | {"mesh.epoch": "8"}
    nanoseconds = int(at.timestamp() * 1e9)
    span = Span(
        trace_id=b"c" * 16,
        span_id=b"c" * 8,
        name="mesh.change",
        start_time_unix_nano=nanoseconds,
        end_time_unix_nano=nanoseconds,
        attributes=[attribute(key, value) for key, value in values.items()],
    )
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])])


def finding(traffic: list[Proxied], now: datetime) -> Finding:
    """What the engine would say about it."""
    broke = now - FAULT
    charges = [one.span for one in traffic if one.span.service == CULPRIT and one.span.kind is Kind.SERVER]
    begun = int(broke.timestamp() * 1e9)
    slow = sorted((span for span in charges if span.start_ns > begun), key=lambda span: -span.duration_ns)
    usual = [span for span in charges if span.start_ns < begun]
    return Finding(
        id=INCIDENT,
        state="open",
        opened_at=broke + timedelta(seconds=30),
        updated_at=now,
        title=TITLE,
        symptom=Symptom(service="front", route="/checkout", signal="latency", baseline=61, observed=301, unit="ms"),
        culprit=Culprit(service=CULPRIT, version="v1", instance="payments-1", route="/charges", zone="b"),
        confidence=0.93,
        contribution=Contribution(value=226, unit="ms", share=0.94),
        ranking=(
            _ranked(CULPRIT, 0.94, (21.0, 261.0), (0.0, 0.081), "own time grew 240 ms when the symptom began"),
            _ranked("shipping", 0.03, (8.2, 8.4), (0.0, 0.0), "own time moved 0.2 ms"),
        ),
        ruled_out=(
            RuledOut(service="inventory", why="answers as fast as before; catalog, which calls it too, is well"),
            RuledOut(service="checkout", why="its own time did not change: it waits for payments"),
        ),
        exemplars=tuple(span.trace for span in slow[:3]),
        counter_exemplars=tuple(span.trace for span in usual[:2]),
        path=(
            OnPath(where=CULPRIT, baseline_ms=21, observed_ms=247, added_ms=226, beside_ms=0),
            OnPath(where="front", baseline_ms=40, observed_ms=54, added_ms=14, beside_ms=9),
        ),
        gaps=(
            Gap(
                service="shipping",
                captured=0.6,
                statement="only 60 % of what the proxies of shipping counted has spans",
            ),
        ),
        change=Change(
            time=broke - timedelta(seconds=20),
            kind="rollout",
            service=CULPRIT,
            summary="payments: build 41 to build 42",
        ),
        evidence=(
            Evidence(
                statement="payments' own time went from 21 ms to 261 ms a request",
                sql="SELECT Bucket, round(sum(OwnSum) / sum(OwnCalls) / 1e6, 1) AS own_ms\n"
                "FROM otel.mesh_routes\nWHERE Service = 'payments'\nGROUP BY Bucket\nORDER BY Bucket",
            ),
        ),
        windows=Windows(baseline=(broke - timedelta(minutes=5), broke), incident=(broke, now)),
        acknowledged=Note(time=now - timedelta(minutes=1), by="ann", text="rolling build 42 back"),
        notes=(Note(time=now, by="bob", text="the pool of connections is new in it"),),
    )


def _ranked(service: str, score: float, own: tuple[float, float], errors: tuple[float, float], why: str) -> Ranked:
    return Ranked(
        service=service,
        score=score,
        own_time_ms=Figures(baseline=own[0], observed=own[1]),
        own_errors=Figures(baseline=errors[0], observed=errors[1]),
        link_ms=None,
        why=why,
    )


def alarm(now: datetime) -> Alarm:
    """What the engine would say of the promise that is broken by it."""
    return Alarm(
        id="alarm-front",
        kind="objective",
        rule="* availability 99.9%",
        service="front",
        severity="critical",
        opened_at=now - FAULT / 2,
        updated_at=now,
        title="front breaks its objective: 99.9 % of requests do not fail",
        why="8 % of 612 requests in the last 1 h failed, 80 times what the objective allows",
        value=80.0,
        limit=14.4,
        sql="SELECT Service, sum(Calls) AS Requests, sum(Errors) AS Bad FROM otel.mesh_routes GROUP BY Service",
    )


def store_findings(url: str, found: Finding, broken: Alarm) -> None:
    """Writes them as the engine does."""
    with Reader(url.replace("clickhouse://", "clickhouse://rootcause@")) as writer:
        Journal(writer).write_incident(found)
        AlarmRows(writer).write(broken)


async def serve(folder: Path, scene: Scene) -> None:
    """Fills a store, opens its door, writes the address into `folder/address`, and waits to be ended."""
    now = datetime.now(UTC)
    store = EmbeddedStore.open(folder / "data")
    try:
        traffic = spans(now, scene)
        changes = [rollout(now - FAULT - timedelta(seconds=20)), certificate(now - HISTORY)]
        changes = changes if scene == "incident" else []
        for request in [*otlp(traffic), *changes]:
            await store.insert(
                "otel_traces", [block.data for block in encode_traces(request.SerializeToString()).blocks]
            )
        if traffic:
            await count(store)
        door = await serve_native(store, "127.0.0.1", 0)
        url = f"clickhouse://127.0.0.1:{door.port}/otel"
        if scene == "incident":
            await asyncio.to_thread(store_findings, url, finding(traffic, now), alarm(now))
        (folder / "address.new").write_text(url)
        (folder / "address.new").rename(folder / "address")
        await _ended_by_signal()
        await door.close()
    finally:
        await store.close()


async def count(store: EmbeddedStore) -> None:
    """What the proxies would have counted: a request for each server span, and one more whose span was lost."""
    edges = await store.ask(
        "SELECT toUnixTimestamp(Bucket) AS bucket, Source AS peer, Destination AS service, sum(Calls) AS count"
        " FROM otel.mesh_edges WHERE Reporter = 'destination' GROUP BY ALL ORDER BY ALL"
    )
    edges[len(edges) // 2]["count"] += 1  # in the middle: in every window for minutes to come
    blocks: list[bytes] = []
    for edge in edges:
        requests = [{**edge, "instance": f"{edge['service']}-1", "direction": "inbound"}]
        body = Counts().interval({"requests": requests}, edge["bucket"] + 10)
        blocks += [block.data for block in encode_metrics(body.encode(), json=True).blocks]
    await store.insert("otel_metrics_sum", blocks)


async def _ended_by_signal() -> None:
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    await ended.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("scene", choices=get_args(Scene), nargs="?", default="incident")
    chosen = parser.parse_args(sys.argv[1:])
    asyncio.run(serve(chosen.folder, chosen.scene))
