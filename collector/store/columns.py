"""Names and types of a statement's result, from its first block where it has one, and without running it again when
that can be avoided."""

import json
import re
from collections.abc import Mapping
from typing import Final

from collector._columnar import DecodeError, native_columns
from collector.store.engine import Session
from collector.store.errors import QueryFailed
from collector.store.wire import string, varint

Columns = list[tuple[str, str]]

# Blocks for clients of old, as the engine writes them, leave out the time zone of a DateTime.
_MAY_LACK_A_ZONE: Final = re.compile(r"\bDateTime\b")


def leading(data: bytes) -> Columns:
    """Columns of the Native block that `data` begins with; empty when there is none, or they are not all there."""
    try:
        columns = native_columns(data) if data else []
    except DecodeError:
        return []
    return [] if any(_MAY_LACK_A_ZONE.search(kind) for _, kind in columns) else columns


def described(session: Session, text: str, params: Mapping[str, str], mark: str = "") -> Columns:
    """Columns of the SELECT `text`, by analysis alone; empty for other statements and for broken ones.

    Scalar subqueries run during analysis, so `mark`, a comment to find the statement by, is given along.
    """
    try:
        answer = session.run(f"DESCRIBE TABLE ({text}\n){mark}", "JSONCompact", params)
    except QueryFailed:
        return []
    return [(row[0], row[1]) for row in json.loads(answer.data)["data"]]


def headed(session: Session, text: str, params: Mapping[str, str]) -> Columns:
    """Columns of a statement that cannot be described (SHOW, EXPLAIN, ...), by running it. Raises QueryFailed."""
    answer = session.run(text, "JSONCompact", params)
    return [(column["name"], column["type"]) for column in json.loads(answer.data)["meta"]]


def table_columns(session: Session, table: str, listed: str) -> Columns:
    """Columns that an INSERT into `table` with the column list `listed` ("" or "(a, b)") brings."""
    return described(session, f"SELECT {listed.strip('()') or '*'} FROM {table}", {})


def native_heading(columns: Columns) -> bytes:
    """A Native block of these columns without rows (ClickHouse, Native format: columns, rows, name and type each)."""
    cells = [string(name) + string(kind) for name, kind in columns]
    return varint(len(columns)) + varint(0) + b"".join(cells)
