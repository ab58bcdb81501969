"""An embedded ClickHouse of one test module, with the tables of OTLP and nothing of our own code in front."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chdb.session import Session

SQL = Path(__file__).parents[2] / "collector" / "store" / "sql"


class ClickHouse:
    """ClickHouse in this process: Native blocks in, Python values out."""

    def __init__(self, session: Session, folder: Path) -> None:
        self._session = session
        self._block = folder / "block.native"

    def query(self, sql: str) -> list[list[Any]]:
        answer = self._session.query(
            sql + " SETTINGS output_format_json_quote_64bit_integers = 0", "JSONCompactEachRow"
        )
        return [json.loads(line) for line in answer.bytes().splitlines()]

    def execute(self, sql: str) -> None:
        self._session.query(sql)

    def native(self, sql: str) -> bytes:
        """What ClickHouse itself writes in Native for a query."""
        written: bytes = self._session.query(sql, "Native").bytes()
        return written

    def insert(self, table: str, block: bytes) -> None:
        self._block.write_bytes(block)
        self.execute(f"INSERT INTO {table} FROM INFILE '{self._block}' FORMAT Native")


@contextlib.contextmanager
def clickhouse(folder: Path) -> Iterator[ClickHouse]:
    session = Session(str(folder / "data"))
    try:
        session.query("CREATE DATABASE otel")
        for table in sorted({"otel_traces", "otel_logs"} | {path.stem for path in SQL.glob("otel_metrics_*.sql")}):
            session.query((SQL / f"{table}.sql").read_text())
        yield ClickHouse(session, folder)
    finally:
        session.close()
