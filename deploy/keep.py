"""`whymesh keep`: what thinning old days to what matters would do, and traces that must stay.

In: the store, and `keep.matters` of a collector's configuration. Out: by day and reason, what stays and what goes; a
row of mesh_pins. Never: anything taken away; the collector does that.
"""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.local.state import default_state, find_running
from deploy.sql import DEFAULT_STORE

if TYPE_CHECKING:
    from collector.keep.matters import Matters
    from collector.store.client import Reader

_TRACE = re.compile(r"[0-9a-f]{32}")
_DAYS = """
SELECT partition_id AS day, sum(bytes_on_disk) AS bytes FROM system.parts
WHERE database = 'otel' AND table = 'otel_traces' AND active GROUP BY day ORDER BY day
"""
_PIN = "INSERT INTO otel.mesh_pins SELECT %(trace)s, %(by)s, %(because)s, %(time)s"


@dataclass(frozen=True)
class Line:
    """What becomes of some traces of a day; `bytes` is an estimate by their share of the day's spans."""

    day: str
    why: str
    traces: int
    spans: int
    bytes: int


@click.command(name="keep")
@click.option("--plan", is_flag=True, help="Show what would stay and what would go, and why.")
@click.option("--pin", metavar="TRACE", help="Keep this trace.")
@click.option("--because", default="", help="Why, for those who find the pin.")
@click.option("--config", "path", type=click.Path(path_type=Path), help="The collector's; without it the defaults.")
@click.option("--all-days", is_flag=True, help="Also days of which everything stays for now.")
@click.option(
    "--store", envvar="WHYMESH_STORE", help=f"[default: that of the running demo or `up`, else {DEFAULT_STORE}]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--state", type=click.Path(path_type=Path), help="State directory of the run to ask.")
def command(
    plan: bool,
    pin: str | None,
    because: str,
    path: Path | None,
    all_days: bool,
    store: str | None,
    as_json: bool,
    state: Path | None,
) -> None:
    """Show what thinning old days to what matters does, or pin a trace so that it stays.

    \b
    Examples:
      whymesh keep --plan
      whymesh keep --plan --all-days --config collector.yaml
      whymesh keep --pin 4bf92f3577b34da6a3ce929d0e0e4736 --because "the bug in ticket 12"
    \b
    Exit codes: 0 shown or pinned, 1 the store refused, 2 a mistake in options, 3 the store cannot be reached.
    """
    from collector.errors import ConfigRefused
    from collector.store.client import Reader
    from collector.store.errors import QueryFailed, StoreUnavailable

    if plan == bool(pin):
        raise click.UsageError("give --plan or --pin TRACE")
    if pin and not _TRACE.fullmatch(pin):
        raise click.UsageError(f"--pin: expected a trace id of 32 hexadecimal digits in lower case, found {pin!r}")
    running = find_running(state or default_state())
    address = store or (running.store if running else DEFAULT_STORE)
    try:
        if pin:
            with Reader(_writing(address)) as reader:
                _pin(reader, pin, because)
            return
        terms = _terms(path)
        today = date.max if all_days else datetime.now(UTC).date()
        with Reader(address, max_execution_time=60) as reader:
            _show(list(lines(reader, terms, today)), as_json)
    except ConfigRefused as error:
        raise click.UsageError(str(error)) from None
    except StoreUnavailable as error:
        click.echo(f"whymesh keep: {error}", err=True)
        raise SystemExit(3) from None
    except QueryFailed as error:
        click.echo(f"whymesh keep: {error}", err=True)
        raise SystemExit(1) from None


def lines(reader: Reader, terms: Matters, today: date) -> Iterator[Line]:
    """What becomes of the days that are old enough, oldest first. Raises StoreUnavailable, QueryFailed."""
    from collector.keep.matters import plan

    for part in reader.rows(_DAYS):
        day = datetime.strptime(part["day"], "%Y%m%d").replace(tzinfo=UTC).date()
        if day >= today - timedelta(days=terms.after_days):
            continue
        found = reader.rows(plan(day, terms))
        whole = sum(row["Spans"] for row in found) or 1
        for row in found:
            share = part["bytes"] * row["Spans"] // whole
            yield Line(day.isoformat(), row["Why"], row["Traces"], row["Spans"], share)


def _terms(path: Path | None) -> Matters:
    from collector.config import load
    from collector.keep.matters import Matters

    configured = load(path, {"data": "."}).keep.matters if path else None
    return configured or Matters()


def _pin(reader: Reader, trace: str, because: str) -> None:
    words = {"trace": trace, "by": getpass.getuser(), "because": because, "time": datetime.now(UTC)}
    reader.execute(_PIN, words)
    click.echo(f"{trace} stays")


def _writing(address: str) -> str:
    """The account that may write pins, unless the address names one."""
    return address if "@" in address else address.replace("://", "://rootcause@", 1)


def _show(found: list[Line], as_json: bool) -> None:
    if as_json:
        for line in found:
            click.echo(json.dumps(asdict(line)))
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table("day", "why", "traces", "spans", "MB")
    for line in found:
        shown.add_row(line.day, line.why, f"{line.traces:,}", f"{line.spans:,}", f"{line.bytes / 1e6:,.1f}")
    Console().print(shown if found else "no day is old enough, or all are thinned")
