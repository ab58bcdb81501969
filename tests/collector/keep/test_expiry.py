"""What has to go: by age, then by disk, oldest first, roll-ups last; and that the store lets go of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from collector._columnar import encode_traces
from collector.config import load
from collector.keep.expiry import Drop, Part, Terms, overdue
from collector.keep.forget import Keeper
from collector.store.embedded import EmbeddedStore
from tests.world import otlp_requests as world

TODAY = date(2026, 11, 21)


def part(table: str, days_ago: int, order: int = 1, size: int = 10) -> Part:
    return Part(table, TODAY - timedelta(days=days_ago), f"{table}-{days_ago}-{order}", order, size)


def names(drops: list[Drop]) -> list[tuple[str, str]]:
    return [(drop.table, drop.part or drop.partition) for drop in drops]


SPANS = [part("otel_traces", days_ago) for days_ago in range(5)]
EDGES = [part("mesh_edges", days_ago) for days_ago in range(5)]


def test_days_are_kept_by_kind() -> None:
    terms = Terms({"spans": 2, "rollups": 4})
    old = [part("mesh_changes", 900), part("otel_logs", 900)]
    drops = overdue([*SPANS, *EDGES, *old], TODAY, terms)
    assert names(drops) == [
        ("mesh_edges", "20261117"),
        ("otel_traces", "20261117"),
        ("otel_traces", "20261118"),
        ("otel_traces", "20261119"),
    ]
    assert {drop.cause for drop in drops} == {"age"}


def test_nothing_is_dropped_unasked() -> None:
    assert overdue([*SPANS, *EDGES], TODAY, Terms()) == []
    assert overdue([*SPANS, *EDGES], TODAY, Terms(disk=100)) == []


def test_disk_is_made_from_the_oldest_spans_first_and_roll_ups_last() -> None:
    drops = overdue([*SPANS, *EDGES], TODAY, Terms(disk=75))
    assert names(drops) == [("otel_traces", "20261117"), ("otel_traces", "20261118"), ("otel_traces", "20261119")]
    drops = overdue([*SPANS, *EDGES], TODAY, Terms(disk=45))
    assert names(drops)[3:] == [("otel_traces", "20261120"), ("mesh_edges", "20261117"), ("mesh_edges", "20261118")]


def test_age_counts_before_disk() -> None:
    drops = overdue(SPANS, TODAY, Terms({"spans": 3}, disk=25))
    assert [(drop.partition, drop.cause) for drop in drops] == [
        ("20261117", "age"),
        ("20261118", "age"),
        ("20261119", "disk"),
    ]


def test_of_the_last_day_the_oldest_parts_go_and_the_last_stays() -> None:
    today = [part("otel_traces", 0, order) for order in (3, 1, 2)]
    assert names(overdue(today, TODAY, Terms(disk=15))) == [
        ("otel_traces", "otel_traces-0-1"),
        ("otel_traces", "otel_traces-0-2"),
    ]
    assert len(overdue(today, TODAY, Terms(disk=0))) == 2


async def test_the_store_lets_go(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "data")
    registry = CollectorRegistry()
    try:
        today = datetime.now(UTC)
        for days_ago in (0, 0, 1, 5):
            at = int((today - timedelta(days=days_ago)).timestamp()) * 10**9
            body = world.request(world.span(start_time_unix_nano=at, end_time_unix_nano=at)).SerializeToString()
            await store.insert("otel_traces", [block.data for block in encode_traces(body).blocks])
        await Keeper(registry, store, Terms({"spans": 3})).once(today.date())
        days = "SELECT toDate(Timestamp) = today() AS now, count() AS spans FROM otel.otel_traces GROUP BY 1 ORDER BY 1"
        assert await store.ask(days) == [{"now": 0, "spans": 1}, {"now": 1, "spans": 2}]
        labels = {"table": "otel_traces", "cause": "age"}
        assert (registry.get_sample_value("whymesh_collector_forgotten_bytes_total", labels) or 0) > 100
        size = registry.get_sample_value("whymesh_collector_table_bytes", {"table": "otel_traces"}) or 0
        assert size > 100
        await Keeper(CollectorRegistry(), store, Terms(disk=1 << 30), lambda: 1 << 30).once(today.date())
        assert await store.ask("SELECT count() AS spans FROM otel.otel_traces") == [{"spans": 1}]
    finally:
        await store.close()


@pytest.mark.parametrize(("text", "size"), [("20 GB", 20 * 10**9), ("1.5GiB", 3 << 29), ("5000000", 5_000_000)])
def test_disk_as_people_write_it(tmp_path: Path, text: str, size: int) -> None:
    path = tmp_path / "collector.yaml"
    path.write_text(f"data: d\nkeep: {{disk: {text}}}\n")
    assert load(path, {}).keep.disk == size
