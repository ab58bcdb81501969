"""`whymesh export` and `whymesh import`: tables as Parquet files, out of a store and into one.

In: a store's address, a folder. Out: files or rows, and a line for each file. Never: work left half done unsaid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from deploy.local.state import default_state, find_running
from deploy.span import Span
from deploy.sql import DEFAULT_STORE

if TYPE_CHECKING:
    from collector.store.archive.manifest import File
    from collector.store.link import Link

FAILED, REFUSED, UNREACHABLE = 1, 2, 3
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
C = TypeVar("C", bound=Callable[..., Any])


def _common(command: C) -> C:
    for option in (
        click.option("--state", type=click.Path(path_type=Path), help="State directory of the run to ask."),
        click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this one; may be repeated."),
        click.option(
            "--store", envvar="WHYMESH_STORE", help=f"[default: that of the running demo or `up`, else {DEFAULT_STORE}]"
        ),
        click.argument("folder", type=click.Path(path_type=Path, file_okay=False)),
    ):
        command = option(command)
    return command


@click.command(name="export")
@_common
@click.option("--since", type=Span(), help="Rows of so long ago, and newer ones.")
@click.option("--from", "begin", type=click.DateTime(_TIMES), help="Rows from this time on (UTC).")
@click.option("--to", "end", type=click.DateTime(_TIMES), help="Rows before this time (UTC).  [default: now]")
def export(
    folder: Path,
    store: str | None,
    tables: tuple[str, ...],
    state: Path | None,
    since: timedelta | None,
    begin: datetime | None,
    end: datetime | None,
) -> None:
    """Write tables of a store to FOLDER as Parquet files, one a table and day.

    Of a folder that holds an archive already, days are written anew, and others stay: it can grow day by day. Whoever
    may read the store may export it.

    \b
    Examples:
      whymesh export ./archive
      whymesh export ./yesterday --from 2026-11-20 --to 2026-11-21
      whymesh export ./incident --since 2h --table otel_traces --table mesh_edges
      whymesh export ./all --store clickhouse://reader:secret@ch.example:9000/otel
    \b
    Exit codes: 0 written, 1 the store refused, 2 a mistake in options or the folder, 3 the store cannot be reached.
    """
    from collector.store.archive.save import Wanted, save

    if since is not None and begin is not None:
        raise click.UsageError("--since and --from: give one of them")
    now = datetime.now(UTC)
    until = end.replace(tzinfo=UTC) if end else now
    start = now - since if since else begin.replace(tzinfo=UTC) if begin else _BEGINNING
    if start >= until:
        raise click.UsageError(f"nothing lies between {start:%Y-%m-%d %H:%M:%S} and {until:%Y-%m-%d %H:%M:%S}")
    chosen = _chosen(tables)
    folder.mkdir(parents=True, exist_ok=True)
    with _working("export", folder, store, state) as link:
        written = list(_told(save(link, folder, Wanted(chosen, start, until))))
    click.echo(f"{_figures(written)} in {folder}", err=True)


@click.command(name="import")
@_common
def import_(folder: Path, store: str | None, tables: tuple[str, ...], state: Path | None) -> None:
    """Read an exported FOLDER into a store: a collector's, or a ClickHouse server with our tables.

    A row that is there already is left out, so an import can be repeated, also one that was interrupted. The account
    needs the role owner (docs/collector.md).

    \b
    Examples:
      whymesh import ./archive --store clickhouse://owner:secret@127.0.0.1:9000/otel
      whymesh import ./archive --table mesh_edges --table mesh_routes --store clickhouse://ch.example:9000/otel
    \b
    Exit codes: 0 all of it is there, 1 the store refused, 2 a mistake in options or the folder, 3 the store cannot be
    reached.
    """
    from collector.store.archive.restore import restore

    chosen = _chosen(tables)
    files: list[File] = []
    rows = 0
    with _working("import", folder, store, state) as link:
        for restored in restore(link, folder, chosen):
            files.append(restored.file)
            rows += restored.rows
            click.echo(f"{restored.file.path}: {restored.rows:,} of {restored.file.rows:,} rows were new")
    click.echo(f"{_figures(files)}: {rows:,} rows were new", err=True)


@contextmanager
def _working(name: str, folder: Path, store: str | None, state: Path | None) -> Iterator[Link]:
    """A connection to the store, and the folder for this process alone; what goes wrong ends the command."""
    from collector.store.archive.manifest import ArchiveRefused, held
    from collector.store.errors import AccessRefused, QueryFailed, StoreUnavailable
    from collector.store.link import Link
    from collector.store.url import StoreUrl

    running = None if store else find_running(state or default_state())
    address = store or (running.store if running else DEFAULT_STORE)
    try:
        link = Link(StoreUrl.parse(address))
        try:
            with held(folder):
                yield link
        finally:
            link.close()
    except ValueError as error:
        raise click.UsageError(f"--store: {error}") from None
    except StoreUnavailable as error:
        _end(name, str(error), UNREACHABLE)
    except AccessRefused as error:
        hint = "; an import needs an account with the role owner (doors.accounts)" if name == "import" else ""
        _end(name, f"{error}{hint}", FAILED)
    except QueryFailed as error:
        _end(name, str(error), FAILED)
    except ArchiveRefused as error:
        _end(name, str(error), REFUSED)
    except OSError as error:
        _end(name, f"{error.filename or folder}: {error.strerror}", REFUSED)


def _end(name: str, message: str, code: int) -> None:
    click.echo(f"whymesh {name}: {message}", err=True)
    raise SystemExit(code)


def _chosen(tables: tuple[str, ...]) -> tuple[str, ...]:
    from collector.store.archive.tables import TABLES

    for name in tables:
        if name not in TABLES:
            raise click.UsageError(f"--table {name}: there are {', '.join(TABLES)}")
    return tables or tuple(TABLES)


def _told(files: Iterable[File]) -> Iterator[File]:
    for file in files:
        click.echo(f"{file.path}: {file.rows:,} rows, {file.bytes / 1e6:,.1f} MB")
        yield file


def _figures(files: list[File]) -> str:
    rows, size = sum(file.rows for file in files), sum(file.bytes for file in files)
    return f"{len(files)} files, {rows:,} rows, {size / 1e6:,.1f} MB"
