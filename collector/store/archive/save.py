"""Writes tables of a store to Parquet files, a day at a time.

In: a store's rows, in slices of time that its bounds allow. Out: a folder with a file a table and day, and a manifest.
Never: a day held in memory, a file that looks whole and is not, a file replaced by one that covers less time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from collector.store.archive.manifest import NAME, ArchiveRefused, File, Manifest, digest
from collector.store.archive.parquet import Parquet
from collector.store.archive.tables import TABLES, Shape
from collector.store.link import Link
from collector.store.quoting import identifier

SLICE_ROWS: Final = 50_000
# Small blocks keep a block's bytes small; days are those of UTC whatever the server thinks.
_SETTINGS: Final = "SETTINGS max_block_size = 2048, session_timezone = 'UTC'"


@dataclass(frozen=True)
class Wanted:
    """Which rows: of these tables, from `begin` to before `end`."""

    tables: tuple[str, ...]
    begin: datetime
    end: datetime


def save(link: Link, folder: Path, wanted: Wanted) -> Iterator[File]:
    """Writes one file after the other and tells of each. The caller holds the folder.

    Raises ArchiveRefused, StoreUnavailable, QueryFailed, OSError.
    """
    manifest = Manifest.read(folder) if (folder / NAME).exists() else Manifest()
    manifest.write(folder)
    with Parquet() as parquet:
        for table in wanted.tables:
            shape = Shape.of(link, table)
            if shape is None:
                continue
            for day in _days(link, shape, wanted):
                manifest = manifest.with_file(_file(link, parquet, folder, shape, _within(wanted, day), manifest))
                manifest.write(folder)
                yield next(file for file in manifest.files if (file.table, file.day) == (table, day))


def _file(link: Link, parquet: Parquet, folder: Path, shape: Shape, wanted: Wanted, manifest: Manifest) -> File:
    day = wanted.begin.date()
    before = manifest.of(shape.table, day)
    if before is not None and not (wanted.begin <= before.begin and before.end <= wanted.end):
        raise ArchiveRefused(
            f"{folder / before.path} covers {before.begin:%H:%M:%S} to {before.end:%H:%M:%S} of its day and would be "
            f"replaced by less: export whole days (--from, --to), or into another folder"
        )
    path = folder / shape.table / f"{day}.parquet"
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    rows = parquet.write(part, shape.columns, _rows(link, shape, wanted))
    with part.open("rb") as written:
        os.fsync(written.fileno())
    file = File(shape.table, day, rows, part.stat().st_size, digest(part), wanted.begin, wanted.end)
    part.replace(path)
    return file


def _days(link: Link, shape: Shape, wanted: Wanted) -> list[date]:
    wanted_rows = shape.between(wanted.begin, wanted.end)
    sql = f"SELECT DISTINCT toDate({identifier(shape.time.name)}) AS day {_from(shape)} WHERE {wanted_rows}"
    return sorted(day for (day,) in link.rows(f"{sql} {_SETTINGS}"))


def _rows(link: Link, shape: Shape, wanted: Wanted) -> Iterator[bytes]:
    chosen = ", ".join(column.saved() for column in shape.columns)
    for first, last in slices(_counted(link, shape, wanted), SLICE_ROWS):
        of_slice = Wanted(
            wanted.tables, max(wanted.begin, _moment(first)), min(wanted.end, _moment(last) + timedelta(seconds=1))
        )
        # The table's own columns in the condition, not the plain ones that are selected under their names.
        inner = f"SELECT * {_from(shape)} WHERE {shape.between(of_slice.begin, of_slice.end)}"
        yield from link.blocks(f"SELECT {chosen} FROM ({inner}) {_SETTINGS}")


def slices(counted: Sequence[tuple[int, int]], most: int) -> Iterator[tuple[int, int]]:
    """(second, rows) in order -> (first, last) seconds of slices of at most `most` rows, or of one second."""
    first, last, held = 0, 0, 0
    for second, rows in counted:
        if held and held + rows > most:
            yield first, last
            held = 0
        first = second if not held else first
        last, held = second, held + rows
    if held:
        yield first, last


def _counted(link: Link, shape: Shape, wanted: Wanted) -> list[tuple[int, int]]:
    second = f"toUnixTimestamp(toDateTime({identifier(shape.time.name)}, 'UTC'))"
    sql = f"SELECT {second} AS second, count() AS rows {_from(shape)} WHERE {shape.between(wanted.begin, wanted.end)}"
    return [(int(at), int(rows)) for at, rows in link.rows(f"{sql} GROUP BY second ORDER BY second {_SETTINGS}")]


def _from(shape: Shape) -> str:
    return f"FROM otel.{identifier(shape.table)}{' FINAL' if TABLES[shape.table].merges else ''}"


def _within(wanted: Wanted, day: date) -> Wanted:
    """What is wanted of a day."""
    midnight = datetime.combine(day, time(), UTC)
    return Wanted(wanted.tables, max(wanted.begin, midnight), min(wanted.end, midnight + timedelta(days=1)))


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
