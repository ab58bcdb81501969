from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from chdb.session import Session

from collector.store import migrate
from collector.store.errors import SchemaRefused
from collector.store.migrate import Migration

SQL = Path(migrate.__file__).parent / "sql"


class Bare:
    """A ClickHouse without our engine in front."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def execute(self, sql: str) -> None:
        self._session.query(sql)

    def rows(self, sql: str) -> list[tuple[str, str]]:
        return [tuple(row) for row in json.loads(self._session.query(sql, "JSONCompact").bytes())["data"]]


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Bare]:
    session = Session(str(tmp_path))
    yield Bare(session)
    session.close()


def test_every_sql_file_is_in_the_order_and_the_other_way_round() -> None:
    assert set(migrate.OBJECTS) == {path.stem for path in SQL.glob("*.sql")}


@pytest.mark.parametrize("view", ["edges", "routes", "security", "ends"])
def test_what_is_left_out_is_counted_as_what_is_stored(view: str) -> None:
    """But for examples, which have to be there."""
    examples = re.compile(r".* AS (SlowTrace|ErrorTrace|Trace),?\n|--.*\n")
    stored, left_out = (examples.sub("", Migration.read(f"mesh_{one}_mv").sql) for one in (view, f"unkept_{view}"))
    assert left_out == stored.replace(f"mesh_{view}_mv", f"mesh_unkept_{view}_mv").replace(
        "FROM otel.otel_traces", "FROM otel.mesh_unkept"
    )


def test_the_first_run_makes_everything_and_the_second_nothing(bare: Bare) -> None:
    assert migrate.apply(bare.execute, bare.rows) == list(migrate.OBJECTS)
    assert migrate.apply(bare.execute, bare.rows) == []
    present = {name for name, _ in bare.rows("SELECT name, engine FROM system.tables WHERE database = 'otel'")}
    made = {name for name in migrate.OBJECTS if "ALTER TABLE" not in Migration.read(name).sql}
    assert present == {*made, "mesh_migrations"}


def test_a_run_that_was_cut_off_is_continued(bare: Bare) -> None:
    some = tuple(Migration.read(name) for name in migrate.OBJECTS[:4])
    migrate.apply(bare.execute, bare.rows, some)
    bare.execute(Migration.read(migrate.OBJECTS[4]).sql)  # made, but not written down any more
    assert migrate.apply(bare.execute, bare.rows) == list(migrate.OBJECTS[4:])


def test_a_changed_file_is_refused_before_anything_happens(bare: Bare) -> None:
    before = Migration.read("mesh_alerts")
    migrate.apply(bare.execute, bare.rows, (before,))
    changed = Migration("mesh_alerts", before.sql + " -- edited", "0" * 64)
    new = Migration.read("mesh_changes")
    with pytest.raises(SchemaRefused, match=r"sql/mesh_alerts\.sql was changed .* migration of its own"):
        migrate.apply(bare.execute, bare.rows, (new, changed))
    assert bare.rows("SELECT name, engine FROM system.tables WHERE name = 'mesh_changes'") == []
