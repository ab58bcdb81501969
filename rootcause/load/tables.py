"""Reads recorded tables however their columns are encoded: dictionaries, any unit of time, integers for floats.

In: a Parquet file and the columns wanted. Out: a tuple a row, batch by batch: times as Unix seconds, text never None,
numbers finite or None. Rows without a value that they need are left out. Raises CaseRefused, which names the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from rootcause.load.recorded import CaseRefused

_BATCH = 65_536
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""Numbers from here on are nano-, micro- and milliseconds: as seconds they would be thousands of years away."""


def seconds(value: Any) -> float | None:
    """Unix seconds of a time, UTC unless it says otherwise."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            value = number(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    found = number(value)
    if found is None:
        return None
    return found / next((unit for least, unit in _UNITS if abs(found) >= least), 1.0)


def text(value: Any) -> str:
    """Text; ids that are kept as bytes in hex."""
    if value is None:
        return ""
    return value.hex() if isinstance(value, bytes) else str(value)


def number(value: Any) -> float | None:
    """A finite number."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if isfinite(found) else None


@dataclass(frozen=True, slots=True)
class Column:
    """A file without a `needed` column is refused, and so is a row without a value in it."""

    name: str
    read: Callable[[Any], Any]
    needed: bool = False


def rows(path: Path, columns: Sequence[Column]) -> Iterator[tuple[Any, ...]]:
    """The rows of a recorded table; none when there is no such file."""
    import pyarrow as arrow  # noqa: PLC0415 (only recorded incidents need it)
    from pyarrow import parquet  # noqa: PLC0415

    if not path.exists():
        return
    try:
        with parquet.ParquetFile(path) as file:
            if not file.metadata.num_rows:
                return
            known = set(file.schema_arrow.names)
            for column in columns:
                if column.needed and column.name not in known:
                    raise CaseRefused(f"{path}: has no column {column.name!r}")
            wanted = [column.name for column in columns if column.name in known]
            for batch in file.iter_batches(_BATCH, columns=wanted):
                yield from _rows(batch, columns)
    except (OSError, arrow.ArrowException) as error:
        raise CaseRefused(f"{path}: {error}") from None


def _rows(batch: Any, columns: Sequence[Column]) -> Iterator[tuple[Any, ...]]:
    read = [_values(batch, column) for column in columns]
    needed = [place for place, column in enumerate(columns) if column.needed]
    for row in zip(*read, strict=True):
        if all(row[place] not in (None, "") for place in needed):
            yield row


def _values(batch: Any, column: Column) -> list[Any]:
    """Of one column of a batch; what is not there is as empty."""
    if column.name not in batch.schema.names:
        return [column.read(None)] * batch.num_rows
    values = batch.column(column.name)
    return [column.read(value) for value in _plain(values).to_pylist()]


def _plain(values: Any) -> Any:
    """Without dictionaries; times as seconds."""
    import pyarrow as arrow  # noqa: PLC0415
    from pyarrow import compute  # noqa: PLC0415

    if arrow.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if arrow.types.is_timestamp(values.type):
        micros = values.cast(arrow.timestamp("us", values.type.tz), safe=False).cast(arrow.int64())
        return compute.divide(micros.cast(arrow.float64()), 1e6)
    return values
