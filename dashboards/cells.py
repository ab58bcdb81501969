"""Turns a result of any query into what a table, a CSV or a JSON download can hold."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from collector.store.client import Table


def cell(value: Any) -> Any:
    """One value for the screen: numbers, text and times as they are, everything nested as JSON text."""
    if value is None or isinstance(value, bool | int | float | str | datetime | date):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def columns(table: Table) -> dict[str, list[Any]]:
    """The result column by column; a name that comes twice gets its position."""
    names = unique([name for name, _ in table.columns])
    return {name: [cell(row[index]) for row in table.rows] for index, name in enumerate(names)}


def unique(names: Sequence[str]) -> list[str]:
    """The names, told apart."""
    return [name if names.index(name) == index else f"{name} ({index + 1})" for index, name in enumerate(names)]


def as_csv(table: Table) -> str:
    """RFC 4180 with a header. A text that a spreadsheet would run as a formula is quoted with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([name for name, _ in table.columns])
    writer.writerows([[_inert(cell(value)) for value in row] for row in table.rows])
    return out.getvalue()


def as_json(table: Table) -> str:
    """A list of objects, nested values kept nested."""
    names = unique([name for name, _ in table.columns])
    return json.dumps([dict(zip(names, row, strict=True)) for row in table.rows], default=str, ensure_ascii=False)


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value
