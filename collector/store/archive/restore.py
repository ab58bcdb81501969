"""Reads the files of an archive into a store, each row once however often that is done.

In: a folder with its manifest. Out: rows in tables of a store. Never: a row that is there already, a row counted again
by a view (roll-ups come from their own files), a day that is there in part: rows are gathered in a table of their own,
whose partitions then become the table's in one step each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from collector.store.archive.manifest import NAME, ArchiveRefused, File, Manifest, digest
from collector.store.archive.parquet import Parquet
from collector.store.archive.tables import Column, Shape, structure
from collector.store.errors import QueryFailed
from collector.store.link import Link
from collector.store.quoting import identifier, literal
from collector.store.upkeep import ALWAYS, STRICT

_ENGINES: Final = frozenset({"MergeTree", "ReplacingMergeTree", "AggregatingMergeTree"})


@dataclass(frozen=True)
class Restored:
    """A file and how many of its rows were new to the store."""

    file: File
    rows: int


def restore(link: Link, folder: Path, tables: tuple[str, ...]) -> Iterator[Restored]:
    """Reads one file after the other and tells of each. The caller holds the folder.

    Raises ArchiveRefused, StoreUnavailable, QueryFailed, OSError.
    """
    manifest = Manifest.read(folder)
    wanted = [file for file in manifest.files if file.table in tables]
    for file in wanted:
        _verify(folder, file)
    name = f"mesh_import_{manifest.id}"
    _clear(link, name)
    try:
        with Parquet() as parquet:
            for table, files in groupby(wanted, lambda file: file.table):
                stage = Stage(link, _target(link, table), name)
                for file in files:
                    yield Restored(file, stage.take(parquet, folder, file))
                _clear(link, name)
    except (ArchiveRefused, QueryFailed):
        _clear(link, name)
        raise


class Stage:
    """Two tables beside the one that rows are for: `..._plain` takes a block as it is in the file, `..._rows` holds
    what is new to the store, in the table's own form. What an interrupted import left goes when it is repeated."""

    def __init__(self, link: Link, shape: Shape, name: str) -> None:
        self._link = link
        self._shape = shape
        self._table = f"otel.{identifier(shape.table)}"
        self._plain, self._rows = f"{name}_plain", f"{name}_rows"
        link.execute(f"CREATE TABLE otel.{self._plain} ({structure(shape.columns)}) ENGINE = Memory")
        link.execute(f"CREATE TABLE otel.{self._rows} AS {self._table}")

    def take(self, parquet: Parquet, folder: Path, file: File) -> int:
        """Rows of a file that the table does not have; returns how many they were. Raises ArchiveRefused."""
        path, rows = folder / file.path, 0
        columns = self._columns(path, parquet.names(path))
        for chunk in parquet.read(path, columns):
            rows += chunk.rows
            if rows > file.rows:
                raise ArchiveRefused(f"{path} holds more rows than the {file.rows} that {NAME} tells of")
            self._add(chunk.data, columns, file, path)
        return self._attach()

    def _columns(self, path: Path, names: Sequence[str]) -> tuple[Column, ...]:
        """Those of the file, each of which the table has. Raises ArchiveRefused."""
        columns = self._shape.only(names)
        missing = [column.name for column in self._shape.needed() if column not in columns]
        if missing:
            raise ArchiveRefused(f"{path} has no column {', '.join(missing)}: it is not what an export writes")
        if unknown := set(names) - {column.name for column in columns}:
            raise ArchiveRefused(
                f"{path} has columns that {self._table} has not: {', '.join(sorted(unknown))}; "
                "let a collector of the version that wrote it bring the tables up to date"
            )
        return columns

    def _add(self, block: bytes, columns: tuple[Column, ...], file: File, path: Path) -> None:
        self._link.append(self._plain, [block], STRICT | ALWAYS)
        within = self._shape.between(file.begin, file.end)
        ((strange,),) = self._link.rows(f"SELECT countIf(NOT ({within})) FROM otel.{self._plain}")
        if int(strange):
            raise ArchiveRefused(f"{path} has rows of another time than the {file.day} that {NAME} tells of")
        names = ", ".join(identifier(column.name) for column in columns)
        values = ", ".join(column.restored() for column in columns)
        same = self._shape.identity(columns)
        time = identifier(self._shape.time.name)
        there = (
            f"SELECT {same} FROM {self._table} WHERE {time} >= (SELECT min({time}) FROM otel.{self._plain})"
            f" AND {time} <= (SELECT max({time}) FROM otel.{self._plain})"
        )
        # Equal rows of a file are rows: a block like another must not be taken for one sent twice.
        self._link.execute(
            f"INSERT INTO otel.{self._rows} ({names}) SETTINGS insert_deduplicate = 0 SELECT {values} "
            f"FROM otel.{self._plain} WHERE {same} NOT IN ({there})"
        )
        self._link.execute(f"TRUNCATE TABLE otel.{self._plain}")

    def _attach(self) -> int:
        """Makes what was gathered the table's."""
        partitions = self._link.rows(
            "SELECT partition_id, sum(rows) FROM system.parts "
            f"WHERE database = 'otel' AND table = {literal(self._rows)} AND active GROUP BY 1 ORDER BY 1"
        )
        for partition, _ in partitions:
            self._link.execute(
                f"ALTER TABLE {self._table} ATTACH PARTITION ID {literal(partition)} FROM otel.{self._rows}"
            )
        if partitions:
            self._link.execute(f"TRUNCATE TABLE otel.{self._rows}")
        return sum(int(rows) for _, rows in partitions)


def _clear(link: Link, name: str) -> None:
    left = link.rows(f"SELECT name FROM system.tables WHERE database = 'otel' AND startsWith(name, {literal(name)})")
    for (table,) in left:
        link.execute(f"DROP TABLE otel.{identifier(table)}")


def _target(link: Link, table: str) -> Shape:
    shape = Shape.of(link, table)
    if shape is None:
        raise ArchiveRefused(
            f"the store has no table otel.{table}: let a collector make its tables, or run `whymesh schema`"
        )
    if shape.engine not in _ENGINES:
        raise ArchiveRefused(
            f"otel.{table} is a {shape.engine} table: rows are restored into tables of one node; import into a store "
            f"of its own and copy from there with INSERT SELECT FROM remote()"
        )
    return shape


def _verify(folder: Path, file: File) -> None:
    path = folder / file.path
    if not path.is_file():
        raise ArchiveRefused(f"{path} is missing; nothing was imported")
    if path.stat().st_size != file.bytes or digest(path) != file.sha256:
        raise ArchiveRefused(f"{path} is damaged: it is not what was exported; nothing was imported")
