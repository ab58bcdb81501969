"""The SQLite file of a control plane: opened, laid out, and written to in whole transactions.

In: a folder, or none for a state that ends with the process. Out: a connection. Never: a file of another program, or of
a newer whymesh, taken for ours.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from proxy.control.errors import StateUnusable

FILE = "control.sqlite"
APPLICATION = 0x77_68_79_6D
"""`PRAGMA application_id` of our files: "whym"."""
LAYOUT = 1
_BUSY_S = 5.0


def opened(folder: Path | None) -> sqlite3.Connection:
    """A connection in WAL mode, so that another control plane reads while this one writes; raises StateUnusable."""
    if folder is None:
        return _laid_out(_connected(":memory:"), "the state in memory")
    where = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        where.touch(mode=0o600)
        return _laid_out(_connected(str(where)), str(where))
    except OSError as error:
        raise StateUnusable(f"--state {folder}: {error.strerror}") from None


@contextlib.contextmanager
def transaction(sql: sqlite3.Connection) -> Iterator[None]:
    """All that happens in the block, or nothing of it; others that write wait."""
    sql.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        sql.execute("ROLLBACK")
        raise
    sql.execute("COMMIT")


def _connected(where: str) -> sqlite3.Connection:
    sql = sqlite3.connect(where, isolation_level=None, timeout=_BUSY_S)
    sql.row_factory = sqlite3.Row
    return sql


def _laid_out(sql: sqlite3.Connection, name: str) -> sqlite3.Connection:
    try:
        sql.execute("PRAGMA journal_mode = WAL")
        with transaction(sql):
            _lay_out(sql, name)
    except sqlite3.DatabaseError as error:
        sql.close()
        raise StateUnusable(
            f"{name}: cannot be used: {error}; put a backup in its place, or remove it to begin anew"
        ) from None
    except StateUnusable:
        sql.close()
        raise
    return sql


def _lay_out(sql: sqlite3.Connection, name: str) -> None:
    application, layout = (sql.execute(f"PRAGMA {what}").fetchone()[0] for what in ("application_id", "user_version"))
    empty = not sql.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if empty:
        for statement in resources.files(__package__).joinpath("schema.sql").read_text().split(";\n"):
            sql.execute(statement)
        sql.execute(f"PRAGMA application_id = {APPLICATION}")
        sql.execute(f"PRAGMA user_version = {LAYOUT}")
    elif application != APPLICATION:
        raise StateUnusable(f"{name}: is not a file of a control plane; remove it to begin anew")
    elif layout != LAYOUT:
        raise StateUnusable(
            f"{name}: is of layout {layout}, this whymesh knows {LAYOUT}; run the whymesh that wrote it"
        )
