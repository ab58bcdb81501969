"""Rows on their way between stores and folders, as tests look at them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from collector.store.archive.restore import restore
from collector.store.archive.save import Wanted
from collector.store.archive.tables import TABLES, Shape
from collector.store.link import Link
from collector.store.url import StoreUrl
from tests.world.stores import StoreProcess

ALL = Wanted(tuple(TABLES), datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@contextlib.contextmanager
def linked(server: StoreProcess, user: str = "default") -> Iterator[Link]:
    link = Link(StoreUrl.parse(server.url(user)))
    try:
        yield link
    finally:
        link.close()


def imported(link: Link, folder: Path, *tables: str) -> dict[str, int]:
    """Rows that were new, by file."""
    return {one.file.path: one.rows for one in restore(link, folder, tables or tuple(TABLES))}


def rows_of(link: Link, table: str) -> list[tuple[object, ...]]:
    """What a table holds, merged where it merges, each value as text, in an order that rows themselves decide."""
    shape = Shape.of(link, table)
    assert shape is not None
    chosen = ", ".join(f"toString({column.saved().partition(' AS `')[0]})" for column in shape.columns)
    final = " FINAL" if TABLES[table].merges else ""
    return sorted(link.rows(f"SELECT {chosen} FROM otel.{table}{final}"))


def count(link: Link, table: str) -> int:
    return int(link.rows(f"SELECT count() FROM otel.{table}")[0][0])


@contextlib.contextmanager
def copied(whole: Path, folder: Path) -> Iterator[Path]:
    for path in whole.rglob("*.*"):
        copy = folder / path.relative_to(whole)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    yield folder
