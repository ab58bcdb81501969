"""Every table out of one store and into another, whole, once, in part, and again after an interruption."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pyarrow import parquet

from collector.store.archive.manifest import ArchiveRefused, Manifest, held
from collector.store.archive.restore import Restored, restore
from collector.store.archive.save import Wanted, save, slices
from collector.store.archive.tables import TABLES, WORKING
from collector.store.errors import AccessRefused
from collector.store.link import Link
from collector.store.migrate import OBJECTS, Migration
from tests.collector.store.archive.everything import FIRST_DAY, SECOND_DAY
from tests.collector.store.archive.moved import ALL, copied, count, imported, linked, rows_of
from tests.world.stores import StoreProcess

_MADE = re.compile(r"^CREATE TABLE IF NOT EXISTS otel\.(\w+)", re.MULTILINE)
NOON = datetime.fromisoformat(f"{FIRST_DAY}T12:00:00+00:00")


def test_every_table_is_archived_or_known_not_to_be() -> None:
    made = {match[1] for name in OBJECTS if (match := _MADE.search(Migration.read(name).sql))}
    assert set(TABLES) | WORKING == made | {"mesh_migrations"}


def test_every_table_comes_back_as_it_was_and_once(source: StoreProcess, whole: Path, target: Link) -> None:
    assert {path.partition("/")[0] for path in imported(target, whole)} == set(TABLES), "a table without rows"
    assert set(imported(target, whole).values()) == {0}
    with linked(source) as link:
        for table in TABLES:
            assert rows_of(target, table) == rows_of(link, table), table
    quantiles = (
        "SELECT quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)(Durations), argMaxMerge(SlowTrace) FROM otel.mesh_edges"
    )
    with linked(source) as link:
        assert target.rows(quantiles) == link.rows(quantiles)
    assert count(target, "mesh_ends") == 0, "no view saw the spans"


def test_equal_rows_of_a_file_are_rows(whole: Path, target: Link) -> None:
    imported(target, whole, "otel_logs")
    assert target.rows("SELECT count() FROM otel.otel_logs WHERE SeverityText = 'WARN'") == [(2,)]


def test_rows_that_are_there_in_part_are_completed(whole: Path, target: Link) -> None:
    imported(target, whole, "otel_traces")
    spans = count(target, "otel_traces")
    target.execute("ALTER TABLE otel.otel_traces DELETE WHERE SpanName = 'GET /pay/1' SETTINGS mutations_sync = 1")
    gone = spans - count(target, "otel_traces")
    assert gone > 0
    assert sum(imported(target, whole, "otel_traces").values()) == gone
    assert count(target, "otel_traces") == spans


def test_an_import_that_was_interrupted_is_repeated(whole: Path, target: Link) -> None:
    stopped = restore(target, whole, ("otel_traces", "mesh_edges"))
    first: Restored = next(stopped)
    stopped.close()
    left = target.rows("SELECT name FROM system.tables WHERE name LIKE 'mesh_import_%'")
    assert len(left) == 2, "what it had begun is there until it is repeated"
    again = imported(target, whole, "otel_traces", "mesh_edges")
    assert again[first.file.path] == 0
    assert all(rows > 0 for path, rows in again.items() if path != first.file.path)


def test_only_what_is_wanted_is_exported(source: StoreProcess, tmp_path: Path) -> None:
    first_day = Wanted(("otel_traces", "mesh_kept"), ALL.begin, datetime.fromisoformat(f"{SECOND_DAY}T00:00:00+00:00"))
    with linked(source) as link:
        assert [file.path for file in save(link, tmp_path, first_day)] == [
            f"otel_traces/{FIRST_DAY}.parquet",
            f"mesh_kept/{FIRST_DAY}.parquet",
        ]
        ((spans,),) = link.rows(f"SELECT count() FROM otel.otel_traces WHERE toDate(Timestamp) = '{FIRST_DAY}'")
    read = parquet.read_table(tmp_path / f"otel_traces/{FIRST_DAY}.parquet")
    assert read.num_rows == spans
    assert str(read.schema.field("Timestamp").type) == "timestamp[ns, tz=UTC]"
    assert dict(read["SpanAttributes"].to_pylist()[0])["mesh.route"] == "/pay"


def test_an_archive_grows_by_days_and_never_loses_a_part_of_one(source: StoreProcess, tmp_path: Path) -> None:
    spans = ("otel_traces",)
    with linked(source) as link:
        list(save(link, tmp_path, Wanted(spans, ALL.begin, NOON + timedelta(hours=12))))
        list(save(link, tmp_path, Wanted(spans, NOON + timedelta(hours=12), ALL.end)))
        assert len(Manifest.read(tmp_path).files) == 2
        with pytest.raises(ArchiveRefused, match="would be replaced by less"):
            list(save(link, tmp_path, Wanted(spans, NOON, ALL.end)))
    assert all((tmp_path / file.path).stat().st_size == file.bytes for file in Manifest.read(tmp_path).files)


def test_a_file_that_was_changed_is_not_read(whole: Path, target: Link, tmp_path: Path) -> None:
    with copied(whole, tmp_path) as folder:
        path = folder / f"otel_logs/{FIRST_DAY}.parquet"
        damaged = bytearray(path.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ArchiveRefused, match=r"otel_logs/.*is damaged"):
            imported(target, folder, "otel_logs")
        path.unlink()
        with pytest.raises(ArchiveRefused, match=r"otel_logs/.*is missing"):
            imported(target, folder, "otel_logs")
    assert count(target, "otel_logs") == 0


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (None, "is no archive"),
        ("{", "is damaged"),
        ('{"format": "whymesh-archive/9"}', "this version reads"),
        ('{"format": "whymesh-archive/1", "id": "x", "files": []}', "is damaged"),
        (
            '{"format": "whymesh-archive/1", "id": "ab", "files": [{"table": "../etc", "day": "2026-01-01"}]}',
            "no table of ours",
        ),
    ],
)
def test_what_is_no_archive_is_named(tmp_path: Path, manifest: str | None, says: str) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(ArchiveRefused, match=says):
        Manifest.read(tmp_path)


def test_a_reader_may_export_but_not_import(whole: Path, other: StoreProcess) -> None:
    with linked(other) as link, pytest.raises(AccessRefused):
        imported(link, whole)


def test_a_folder_is_for_one_process(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(ArchiveRefused, match="by another process"), held(tmp_path):
        pass
    with held(tmp_path):
        pass


def test_slices_hold_as_many_rows_as_they_may_and_whole_seconds() -> None:
    assert list(slices([], 10)) == []
    assert list(slices([(1, 4), (2, 6), (3, 1), (9, 30), (10, 2)], 10)) == [(1, 2), (3, 3), (9, 9), (10, 10)]
