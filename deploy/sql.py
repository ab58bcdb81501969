"""`whymesh sql`: one query over the native protocol. In: SQL. Out: a table, JSON lines, CSV or a Parquet file."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from deploy import saved, sql_table
from deploy.lines import width
from deploy.local.state import default_state, find_running

DEFAULT_STORE = "clickhouse://127.0.0.1:9000/otel"
Columns = Sequence[tuple[str, str]]
Rows = Sequence[tuple[Any, ...]]


@click.command(name="sql")
@click.argument("query", required=False)
@click.option(
    "--store",
    envvar="WHYMESH_STORE",
    help=f"The store to ask [default: that of the running demo or `up`, else {DEFAULT_STORE}].",
)
@click.option("--json", "form", flag_value="json", help="One JSON object a row.")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values with a header.")
@click.option("--parquet", type=click.Path(path_type=Path, dir_okay=False), help="Write the answer to this file.")
@click.option("--estimate", is_flag=True, help="Say how much would be read, without reading it.")
@click.option("--save", "name", help="Keep the query under this name, to ask it again as @NAME.")
@click.option("--state", type=click.Path(path_type=Path), help="State directory of the run to ask.")
def command(
    query: str | None,
    store: str | None,
    form: str | None,
    parquet: Path | None,
    estimate: bool,
    name: str | None,
    state: Path | None,
) -> None:
    """Ask the store a question in SQL.

    The query is an argument, or comes from standard input. The account is read-only and each query is bounded.

    \b
    Examples:
      whymesh sql "SHOW TABLES"
      whymesh sql "SELECT Destination, sum(Calls) FROM mesh_edges GROUP BY 1 ORDER BY 2 DESC"
      whymesh sql --csv < query.sql > answer.csv
      whymesh sql --estimate "SELECT * FROM otel_traces WHERE ServiceName = 'payments'"
      whymesh sql --save busiest "SELECT Destination, sum(Calls) FROM mesh_edges GROUP BY 1 ORDER BY 2 DESC"
      whymesh sql @busiest --parquet busiest.parquet
    \b
    Exit codes: 0 answered, 1 the query failed, 2 no query, 3 the store cannot be reached.
    """
    from collector.store.client import Reader
    from collector.store.errors import QueryFailed, StoreUnavailable

    text = query or ("" if sys.stdin.isatty() else sys.stdin.read())
    if not text.strip():
        raise click.UsageError('nothing to ask: whymesh sql "SELECT 1"')
    if text.startswith("@"):
        text = saved.read(text[1:].strip())
    if name is not None:
        saved.write(name, text)
    if estimate:
        text = f"EXPLAIN ESTIMATE {text}"
    running = find_running(state or default_state())
    reader = Reader(store or (running.store if running else DEFAULT_STORE))
    try:
        table = reader.table(text)
    except StoreUnavailable as error:
        click.echo(f"whymesh sql: {error}", err=True)
        raise SystemExit(3) from None
    except QueryFailed as error:
        click.echo(f"whymesh sql: {error}", err=True)
        raise SystemExit(1) from None
    finally:
        reader.close()
    if parquet is not None:
        _write_parquet(parquet, table.columns, table.rows)
    else:
        FORMS[form or "table"](table.columns, table.rows)


def _print_table(columns: Columns, rows: Rows) -> None:
    names = [name for name, _ in columns]
    cells = [[_shown(value) for value in row] for row in rows]
    click.echo(sql_table.drawn(names, cells, width()))


def _shown(value: Any) -> str:
    """As one line: what is stored may hold line breaks, and orders to a terminal."""
    return "".join(c if c.isprintable() else " " for c in str(value))


def _print_json(columns: Columns, rows: Rows) -> None:
    for row in rows:
        click.echo(json.dumps({name: value for (name, _), value in zip(columns, row, strict=True)}, default=str))


def _write_parquet(path: Path, columns: Columns, rows: Rows) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise click.ClickException("--parquet needs pyarrow: pip install 'whymesh[ui]'") from None

    def array(kind: str, values: Sequence[Any]) -> Any:
        if kind.startswith("Map("):  # without a type, keys that differ would become columns that differ
            pairs = [[(str(key), str(value)) for key, value in cell.items()] for cell in values]
            return pyarrow.array(pairs, pyarrow.map_(pyarrow.string(), pyarrow.string()))
        try:
            return pyarrow.array(values)
        except pyarrow.ArrowInvalid:
            return pyarrow.array([str(value) for value in values])

    cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    arrays = [array(kind, values) for (_, kind), values in zip(columns, cells, strict=True)]
    parquet.write_table(pyarrow.table(arrays, names=[name for name, _ in columns]), path)
    click.echo(f"{len(rows)} rows in {path}", err=True)


def _print_csv(columns: Columns, rows: Rows) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(name for name, _ in columns)
    writer.writerows(rows)


FORMS: dict[str, Callable[[Columns, Rows], None]] = {
    "table": _print_table,
    "json": _print_json,
    "csv": _print_csv,
}
