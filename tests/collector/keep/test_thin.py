"""Of an old day what matters stays whole, of the rest a sample that stands for all; however often it is interrupted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from prometheus_client import CollectorRegistry

from collector._columnar import encode_logs, encode_traces
from collector.keep.expiry import Part
from collector.keep.matters import Matters, changes, decide
from collector.keep.thin import Thinner, due
from collector.store.embedded import EmbeddedStore
from tests.world import otlp_requests as world
from tests.world.collectors import collector
from tests.world.processes import WHYMESH, until

TODAY = datetime.now(UTC).date()
OLD = TODAY - timedelta(days=3)
NOON_NS = int(datetime(OLD.year, OLD.month, OLD.day, 12, tzinfo=UTC).timestamp()) * 10**9
TERMS = Matters(sample=0.5, slow=0.99, rare=2)
ORDINARY = 400
EDGE = [world.attribute("mesh.source.service", "front"), world.attribute("mesh.destination.service", "cart")]


def call(trace: int, place: int = 0, *, name: str = "GET /cart", ms: int = 10, failed: bool = False) -> Span:
    """A span of the trace of this number."""
    at = NOON_NS + trace * 1_000_000
    return world.span(
        name,
        trace_id=trace.to_bytes(16, "big"),
        kind=Span.SPAN_KIND_SERVER,
        parent_span_id=b"parent.." if place else b"",
        start_time_unix_nano=at,
        end_time_unix_nano=at + ms * 1_000_000,
        attributes=EDGE,
        status=Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET),
    )


FAILED, SLOW, RARE, NAMED, PINNED = (trace_id.to_bytes(16, "big").hex() for trace_id in range(901, 906))
MATTER = {FAILED: "failed", SLOW: "slow", RARE: "rare", NAMED: "incident", PINNED: "pinned"}


def old_day() -> bytes:
    """Traces of two spans each, and five that matter."""
    spans = [call(trace, place) for trace in range(1, ORDINARY + 1) for place in (0, 1)]
    spans += [call(901), call(901, 1, failed=True), call(902), call(902, 1, ms=9_000)]
    spans += [call(903), call(903, 1, name="DELETE /cart"), call(904), call(904, 1), call(905), call(905, 1)]
    return world.request(*spans, service="cart").SerializeToString()


def old_logs() -> bytes:
    """A line of INFO for each ordinary trace, one of WARN, and some without a trace."""
    at = NOON_NS
    lines = [LogRecord(time_unix_nano=at, severity_number=9, trace_id=number.to_bytes(16, "big"))
             for number in range(1, ORDINARY + 1)]  # fmt: skip
    lines.append(LogRecord(time_unix_nano=at, severity_number=13, severity_text="WARN"))
    lines.append(LogRecord(time_unix_nano=at, severity_number=9, trace_id=bytes.fromhex(FAILED), event_name="failed"))
    lines += [LogRecord(time_unix_nano=at + number, severity_number=9) for number in range(100)]
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=lines)])]
    ).SerializeToString()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore.open(tmp_path / "data")
    try:
        await store.insert("otel_traces", [block.data for block in encode_traces(old_day()).blocks])
        await store.insert("otel_logs", [block.data for block in encode_logs(old_logs(), received_ns=1).blocks])
        finding = json.dumps({"trace": NAMED})
        await store.change(f"INSERT INTO otel.mesh_incidents (Id, Finding) VALUES ('i', '{finding}')")
        await store.change(f"INSERT INTO otel.mesh_pins (TraceId) VALUES ('{PINNED}')")
        yield store
    finally:
        await store.close()


def thinner(store: EmbeddedStore, registry: CollectorRegistry | None = None) -> Thinner:
    async def rows(sql: str) -> list[dict[str, Any]]:
        return await store.ask(sql)

    return Thinner(registry or CollectorRegistry(), store, rows, TERMS)


async def traces(store: EmbeddedStore) -> dict[str, tuple[int, str]]:
    """Spans of each trace, and what each stands for."""
    sql = (
        "SELECT TraceId AS id, count() AS spans, groupUniqArray(SpanAttributes['mesh.adjusted_count']) AS stands"
        " FROM otel.otel_traces GROUP BY id"
    )
    found = {}
    for row in await store.ask(sql):
        (stands,) = row["stands"]
        found[row["id"]] = (row["spans"], stands)
    return found


async def check_thinned(store: EmbeddedStore) -> None:
    left = await traces(store)
    assert {trace: left.pop(trace) for trace in MATTER} == dict.fromkeys(MATTER, (2, ""))
    assert set(left.values()) == {(2, "2")}, "an ordinary trace stays whole or goes whole"
    assert ORDINARY * 0.35 < len(left) < ORDINARY * 0.65
    kept = await store.ask("SELECT TraceId AS id, Reason AS reason FROM otel.mesh_kept")
    assert sorted((row["id"], row["reason"]) for row in kept) == sorted(MATTER.items())
    (ids,) = await store.ask("SELECT uniqExact(TraceId) AS ids FROM otel.otel_traces_trace_id_ts")
    assert ids == {"ids": len(left) + len(MATTER)}
    (calls,) = await store.ask("SELECT sum(Calls) AS calls FROM otel.mesh_edges")
    assert calls == {"calls": 2 * (ORDINARY + len(MATTER))}, "roll-ups are as they were"


async def test_what_matters_stays_and_a_sample_stands_for_the_rest(store: EmbeddedStore) -> None:
    registry = CollectorRegistry()
    await thinner(store, registry).once(TODAY)
    await check_thinned(store)
    (rows,) = await store.ask("SELECT count() AS left FROM otel.otel_traces")
    gone = registry.get_sample_value("whymesh_collector_thinned_spans_total")
    assert gone == 2 * (ORDINARY + len(MATTER)) - rows["left"]
    before = await traces(store)
    await thinner(store).once(TODAY)
    assert await traces(store) == before, "what was decided is not decided again"


async def test_logs_go_with_their_traces(store: EmbeddedStore) -> None:
    await thinner(store).once(TODAY)
    (logs,) = await store.ask(
        "SELECT countIf(SeverityText = 'WARN') AS loud, countIf(EventName = 'failed') AS failed,"
        " countIf(TraceId = '') - 1 AS alone, countIf(TraceId != '' AND EventName = ''"
        " AND TraceId NOT IN (SELECT TraceId FROM otel.otel_traces)) AS orphans,"
        " countIf(SeverityText = '' AND EventName = '' AND LogAttributes['mesh.adjusted_count'] != '2') AS unweighted"
        " FROM otel.otel_logs",
    )
    assert 20 < logs.pop("alone") < 80
    assert logs == {"loud": 1, "failed": 1, "orphans": 0, "unweighted": 0}


@pytest.mark.parametrize("steps", [1, 2, 3])
async def test_what_was_interrupted_is_completed(store: EmbeddedStore, steps: int) -> None:
    """The process ended after so many of the statements."""
    statements = [decide(OLD, TERMS), *changes(OLD, TERMS)]
    for statement in statements[:steps]:
        await store.change(statement)
    await thinner(store).once(TODAY)
    await check_thinned(store)


async def test_late_spans_follow_the_decision(store: EmbeddedStore) -> None:
    await thinner(store).once(TODAY)
    left = await traces(store)
    numbers = range(1, ORDINARY + 1)
    sampled = next(number for number in numbers if number.to_bytes(16, "big").hex() in left)
    ordinary, failing = [number for number in numbers if number.to_bytes(16, "big").hex() not in left][:2]
    late = [call(sampled, 1), call(901, 1), call(ordinary, 1), call(failing, 1, failed=True)]
    body = world.request(*late, service="cart").SerializeToString()
    await store.insert("otel_traces", [block.data for block in encode_traces(body).blocks])
    await thinner(store).once(TODAY)
    after = await traces(store)
    assert after[sampled.to_bytes(16, "big").hex()] == (3, "2")
    assert after[FAILED] == (3, "")
    assert ordinary.to_bytes(16, "big").hex() not in after
    assert after[failing.to_bytes(16, "big").hex()] == (1, "")


def test_days_are_due_once_they_are_old_enough_and_again_for_what_comes_late() -> None:
    parts = [
        Part("otel_traces", TODAY - timedelta(days=days), "p", order, 1)
        for days, order in ((0, 9), (1, 8), (2, 7), (3, 5))
    ]
    assert due(parts, {}, TODAY, Matters()) == {OLD: 5, TODAY - timedelta(days=2): 7}
    assert due(parts, {OLD: 5, TODAY - timedelta(days=2): 6}, TODAY, Matters()) == {TODAY - timedelta(days=2): 7}
    assert due(parts, {}, TODAY, Matters(after_days=2)) == {OLD: 5}
    assert due([Part("otel_logs", date(2020, 1, 1), "p", 1, 1)], {}, TODAY, Matters()) == {}


def test_a_collector_that_is_killed_in_the_middle_goes_on(tmp_path: Path) -> None:
    config = tmp_path / "collector.yaml"
    with collector(tmp_path) as served:
        assert served.send(old_day()) == 200
        served.settle()
    config.write_text("keep: {matters: {sample: 0.5, slow: 0.99, rare: 2}}\n")
    with collector(tmp_path, "--config", str(config)) as served:
        until(lambda: served.query("SELECT count() FROM otel.mesh_kept")[0][0] > 0, "a decision")
        served.process.kill()
    with collector(tmp_path, "--config", str(config)) as served:
        until(lambda: served.query("SELECT count() FROM otel.mesh_thinned")[0][0] > 0, "the day to be thinned")
        matter = f"TraceId IN {(FAILED, SLOW, RARE)}"
        assert served.query(f"SELECT count() FROM otel.otel_traces WHERE {matter}") == [(6,)]
        ((left, adjusted),) = served.query(
            "SELECT uniqExact(TraceId), uniqExactIf(TraceId, SpanAttributes['mesh.adjusted_count'] = '2')"
            f" FROM otel.otel_traces WHERE ServiceName = 'cart' AND NOT {matter}"
        )
        assert left == adjusted < ORDINARY


def test_the_plan_says_what_would_go_and_a_pin_keeps_a_trace(tmp_path: Path) -> None:
    with collector(tmp_path) as served:
        assert served.send(old_day()) == 200
        served.settle()
        store = f"clickhouse://127.0.0.1:{served.ports['clickhouse_native']}/otel"

        def keep(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [WHYMESH, "keep", "--store", store, *arguments], capture_output=True, text=True, check=False, timeout=60
            )

        pinned = keep("--pin", PINNED, "--because", "ticket 12")
        assert (pinned.returncode, pinned.stdout) == (0, f"{PINNED} stays\n"), pinned.stderr
        config = tmp_path / "keep.yaml"
        config.write_text("keep: {matters: {sample: 0.5, slow: 0.99, rare: 2}}\n")
        told = keep("--plan", "--json", "--config", str(config))
        lines = {line["why"]: line for line in map(json.loads, told.stdout.splitlines())}
        assert {why: lines[why]["traces"] for why in ("failed", "slow", "rare", "pinned")} == {
            "failed": 1, "slow": 1, "rare": 1, "pinned": 1
        }  # fmt: skip
        assert lines["goes"]["traces"] + lines["sample"]["traces"] == ORDINARY + 1
        assert all(line["day"] == OLD.isoformat() and line["bytes"] > 0 for line in lines.values())
        assert "goes" in keep("--plan").stdout
        assert keep("--plan", "--pin", PINNED).returncode == 2
        assert keep("--pin", "no trace").returncode == 2
    assert keep("--plan").returncode == 3
