"""Parquet files written and read by a ClickHouse in this process, so that every type comes out as it went in.

In: Native blocks. Out: a file; and the other way round. Never: more of a file in memory than a few of its row groups.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from chdb.state.sqlitelike import Connection

from collector.store.archive.manifest import ArchiveRefused
from collector.store.archive.tables import Column, structure
from collector.store.engine import Chunk, Session
from collector.store.errors import MEMORY_LIMIT_EXCEEDED, QueryFailed
from collector.store.quoting import literal

# Everything small and one after the other: a row group of megabytes is as good to read as one of hundreds.
_SETTINGS: Final = {
    "max_threads": "1",
    "max_memory_usage": str(1 << 30),
    "engine_file_truncate_on_insert": "1",
    "min_insert_block_size_rows": "20000",
    "min_insert_block_size_bytes": str(8 << 20),
    "output_format_parquet_compression_method": "zstd",
    "output_format_parquet_parallel_encoding": "0",
    "output_format_parquet_row_group_size": "50000",
    "output_format_parquet_row_group_size_bytes": str(32 << 20),
    "input_format_parquet_memory_low_watermark": str(1 << 20),
    "input_format_parquet_memory_high_watermark": str(64 << 20),
    "input_format_parquet_max_block_size": "20000",
    "input_format_parquet_prefer_block_bytes": str(4 << 20),
    "input_format_parquet_preserve_order": "1",
}


class Parquet:
    """Opens and closes with the block around it; one at a time in a process that has no store of its own."""

    def __enter__(self) -> Self:
        self._session = Session(Connection(":memory:"))
        self._session.set(_SETTINGS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def write(self, path: Path, columns: Sequence[Column], blocks: Iterable[bytes]) -> int:
        """Rows of plain types into a new file; returns how many. Raises QueryFailed, and what `blocks` raises."""
        return self._session.insert(f"INSERT INTO FUNCTION {_file(path, columns)}", "Native", blocks)

    def names(self, path: Path) -> list[str]:
        """Its columns. Raises ArchiveRefused when it is no Parquet file."""
        with _reading(path):
            return [row[0] for row in self._session.rows(f"DESCRIBE TABLE file({literal(str(path))}, 'Parquet')")]

    def read(self, path: Path, columns: Sequence[Column]) -> Iterator[Chunk]:
        """Its rows as Native blocks of plain types. Raises ArchiveRefused."""
        with _reading(path):
            self._session.start(f"SELECT * FROM {_file(path, columns)}", "Native")
        while (chunk := self._next(path)) is not None:
            if chunk.rows:
                yield chunk

    def _next(self, path: Path) -> Chunk | None:
        with _reading(path):
            return self._session.fetch()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Around what ClickHouse reads of a file: what it says of it is the file's fault."""
    try:
        yield
    except QueryFailed as error:
        hint = "; write it with smaller row groups" if error.code == MEMORY_LIMIT_EXCEEDED else ""
        raise ArchiveRefused(f"{path} cannot be read: {error.message}{hint}") from None


def _file(path: Path, columns: Sequence[Column]) -> str:
    return f"file({literal(str(path))}, 'Parquet', {literal(structure(columns))})"
