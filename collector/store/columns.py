"""Names and types of a statement's result, without running it when it can be avoided."""

import json
from collections.abc import Mapping

from collector.store.engine import Session
from collector.store.errors import QueryFailed

Columns = list[tuple[str, str]]


def described(session: Session, text: str, params: Mapping[str, str]) -> Columns:
    """Columns of the statement `text`. Raises QueryFailed.

    Only a SELECT can be described; the others (SHOW, EXPLAIN, ...) are cheap and run for their heading.
    """
    try:
        answer = session.run(f"DESCRIBE TABLE ({text}\n)", "JSONCompact", params)
        return [(row[0], row[1]) for row in json.loads(answer.data)["data"]]
    except QueryFailed:
        answer = session.run(text, "JSONCompact", params)
        return [(column["name"], column["type"]) for column in json.loads(answer.data)["meta"]]


def table_columns(session: Session, table: str, listed: str) -> Columns:
    """Columns that an INSERT into `table` with the column list `listed` ("" or "(a, b)") brings."""
    return described(session, f"SELECT {listed.strip('()') or '*'} FROM {table}", {})


def native_heading(columns: Columns) -> bytes:
    """A Native block of these columns without rows (ClickHouse, Native format: columns, rows, name and type each)."""
    cells = [_string(name) + _string(kind) for name, kind in columns]
    return varint(len(columns)) + varint(0) + b"".join(cells)


def varint(value: int) -> bytes:
    """An unsigned LEB128 number."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _string(text: str) -> bytes:
    data = text.encode()
    return varint(len(data)) + data
