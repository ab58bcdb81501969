"""An archive whose files match their checksums and are not what an export writes; an import that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from collector.store.archive.manifest import ArchiveRefused, File, Manifest, digest
from collector.store.archive.tables import TABLES
from collector.store.link import Link
from tests.collector.store.archive.everything import FIRST_DAY, SECOND_DAY
from tests.collector.store.archive.moved import count, imported
from tests.world.stores import StoreProcess

LOGS = "otel_logs"
MIDNIGHT = datetime.fromisoformat(FIRST_DAY).replace(tzinfo=UTC)
ROWS = 30_000
MOST_MB = 1_200
MEASURED = """
import os, subprocess, sys
_, status, used = os.wait4(subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL).pid, 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Runs a command from a process that is small itself: what one measures of a child is no less than its own size."""


def archived(folder: Path, path: Path, rows: int) -> Path:
    """A folder whose manifest vouches for this one file of the first day's logs."""
    file = File(
        LOGS, date.fromisoformat(FIRST_DAY), rows, path.stat().st_size, digest(path), MIDNIGHT, MIDNIGHT + timedelta(1)
    )
    Manifest(files=(file,)).write(folder)
    return folder


def written(folder: Path, table: pa.Table, *, rows: int | None = None) -> Path:
    """Such an archive, of these rows in one row group."""
    path = folder / LOGS / f"{FIRST_DAY}.parquet"
    path.parent.mkdir()
    parquet.write_table(table, path, row_group_size=max(table.num_rows, 1))
    return archived(folder, path, table.num_rows if rows is None else rows)


def logs(whole: Path) -> pa.Table:
    return parquet.read_table(whole / LOGS / f"{FIRST_DAY}.parquet")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda table: table.drop(["Timestamp"]), "has no column Timestamp"),
        (lambda table: table.drop(["ServiceName"]), "has no column ServiceName"),
        (lambda table: table.append_column("Extra", [["x"] * table.num_rows]), "columns that .* has not: Extra"),
        (lambda table: table.set_column(0, "Timestamp", [["soon"] * table.num_rows]), "cannot be read"),
        (lambda table: table.set_column(0, "Timestamp", [[[1]] * table.num_rows]), "cannot be read"),
    ],
    ids=["no time", "no key", "one too many", "text for a time", "a list for a time"],
)
def test_columns_that_are_not_the_tables_are_named(
    whole: Path, target: Link, tmp_path: Path, change: Callable[[pa.Table], pa.Table], says: str
) -> None:
    folder = written(tmp_path, change(logs(whole)))
    with pytest.raises(ArchiveRefused, match=says):
        imported(target, folder, LOGS)
    assert count(target, LOGS) == 0


def test_rows_beyond_those_told_of_are_not_taken(whole: Path, target: Link, tmp_path: Path) -> None:
    with pytest.raises(ArchiveRefused, match="holds more rows than the 3 that manifest"):
        imported(target, written(tmp_path, logs(whole), rows=3), LOGS)
    assert count(target, LOGS) == 0


def test_rows_of_another_day_are_not_taken(whole: Path, target: Link, tmp_path: Path) -> None:
    other_day = parquet.read_table(whole / LOGS / f"{SECOND_DAY}.parquet")
    with pytest.raises(ArchiveRefused, match=f"rows of another time than the {FIRST_DAY}"):
        imported(target, written(tmp_path, pa.concat_tables([logs(whole), other_day])), LOGS)
    assert count(target, LOGS) == 0


@pytest.mark.parametrize("cut", [0, 100, 0.5, -20], ids=["empty", "head", "half", "no foot"])
def test_what_is_no_parquet_file_is_named(whole: Path, target: Link, tmp_path: Path, cut: float) -> None:
    path = tmp_path / LOGS / f"{FIRST_DAY}.parquet"
    path.parent.mkdir()
    data = (whole / LOGS / f"{FIRST_DAY}.parquet").read_bytes()
    path.write_bytes(data[: int(len(data) * cut) if isinstance(cut, float) else cut])
    with pytest.raises(ArchiveRefused, match=f"{FIRST_DAY}.parquet cannot be read"):
        imported(target, archived(tmp_path, path, 31), LOGS)
    assert count(target, LOGS) == 0


def test_a_row_group_of_hundreds_of_megabytes_takes_bounded_memory(
    whole: Path, other: StoreProcess, target: Link, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = logs(whole).take([0] * ROWS)
    bodies = pa.array(["x" * 4000 + str(number) for number in range(ROWS)])
    many = many.set_column(many.schema.get_field_index("Body"), "Body", bodies)
    folder = written(tmp_path, many)
    assert parquet.ParquetFile(folder / LOGS / f"{FIRST_DAY}.parquet").num_row_groups == 1
    measured = subprocess.run(
        [sys.executable, "-c", MEASURED, *importing(folder, other, LOGS)], stdout=subprocess.PIPE, check=True
    )
    most_mb = int(measured.stdout) >> 10
    with capsys.disabled():
        print(f"\n  import of a row group of 120 MB: at most {most_mb} MB resident")
    assert count(target, LOGS) == ROWS
    assert most_mb < MOST_MB


def test_an_import_that_is_killed_is_repeated_and_each_row_is_there_once(
    source: StoreProcess, whole: Path, other: StoreProcess, target: Link
) -> None:
    with subprocess.Popen(importing(whole, other), stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline(), "the first file"
        running.send_signal(signal.SIGKILL)
    first = sum(count(target, table) for table in TABLES)
    assert first > 0
    imported(target, whole)
    again = imported(target, whole)
    assert set(again.values()) == {0}
    told = {file.table: 0 for file in Manifest.read(whole).files}
    for file in Manifest.read(whole).files:
        told[file.table] += file.rows
    assert {table: count(target, table) for table in told} == told


def importing(folder: Path, store: StoreProcess, *tables: str) -> list[str]:
    """The command line of an import."""
    chosen = [part for table in tables for part in ("--table", table)]
    whymesh = (sys.executable, "-c", "from deploy.cli import main; main()")
    return [*whymesh, "import", str(folder), "--store", store.url("owner"), *chosen]
