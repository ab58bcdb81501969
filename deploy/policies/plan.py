"""`whymesh plan`: what a new configuration would change for the requests of the last hour.

In: mesh.yaml, the store. Out: each flow whose decision or route would differ, how often it came, and one trace of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.local.state import default_state, find_running
from deploy.span import Span
from deploy.sql import DEFAULT_STORE

if TYPE_CHECKING:
    from collector.store.client import Reader
    from deploy.policies.plan_changes import Changed

CHANGES, REFUSED, UNREACHABLE = 1, 2, 3
SHOWN = 50


@click.command(name="plan")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--since", type=Span(), default="1h", show_default=True, help="Requests of so long ago, and newer ones.")
@click.option(
    "--store", envvar="WHYMESH_STORE", help=f"The store [default: of the running demo or `up`, else {DEFAULT_STORE}]."
)
@click.option("--state", type=click.Path(path_type=Path), help="State directory of the run to ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a flow.")
def command(path: Path, since: timedelta, store: str | None, state: Path | None, as_json: bool) -> None:
    """Say what a new configuration would change for requests that were made.

    Every flow of the time, as the proxies recorded it, is held against the policies and routes of PATH by the code that
    the proxies run. Headers and tokens are not recorded: rules that ask for one are taken to hold for none.

    \b
    Examples:
      whymesh plan new.yaml
      whymesh plan new.yaml --since 1d --json | jq .request
    \b
    Exit codes: 0 nothing would change, 1 something would, 2 a mistake in PATH, 3 the store cannot be reached.
    """
    from deploy.policies import plan_changes, recorded_flows
    from proxy.control.errors import ConfigRefused
    from proxy.control.policies.replay import Replay
    from proxy.control.reading.read import load
    from proxy.control.registry import register

    try:
        answers = Replay(register(load(path)))
    except ConfigRefused as error:
        raise end("plan", REFUSED, f"{path} would not be taken:\n{error}") from None
    begin = datetime.now(UTC) - since
    with opened("plan", store, state) as reader:
        asked, sent = recorded_flows.asked(reader, begin), recorded_flows.sent(reader, begin)
    changed = [*plan_changes.decisions(asked, answers), *plan_changes.routes(sent, answers)]
    if as_json:
        for one in changed:
            click.echo(json.dumps(one.as_json()))
    else:
        _show(changed, sum(flow.count for flow in asked), since)
    raise SystemExit(CHANGES if changed else 0)


@contextmanager
def opened(name: str, store: str | None, state: Path | None) -> Iterator[Reader]:
    """The store; ends the command where it cannot be asked."""
    from collector.store.client import Reader
    from collector.store.errors import QueryFailed, StoreUnavailable

    running = find_running(state or default_state())
    reader = Reader(store or (running.store if running else DEFAULT_STORE))
    try:
        yield reader
    except (StoreUnavailable, QueryFailed) as error:
        raise end(name, UNREACHABLE, str(error)) from None
    finally:
        reader.close()


def end(name: str, code: int, sentence: str) -> SystemExit:
    """Says what went wrong, and which exit code that is."""
    click.echo(f"whymesh {name}: {sentence}", err=True)
    return SystemExit(code)


def _show(changed: list[Changed], requests: int, since: timedelta) -> None:
    click.echo(f"{requests} requests since {since} ago; {len(changed)} flows would change")
    for one in sorted(changed, key=lambda it: -it.count)[:SHOWN]:
        click.echo(f"\n{one.count} x {one.caller or 'nobody known'} -> {one.to}  {one.request}  (trace {one.trace})")
        click.echo(f"  {one.what}: {one.before} -> {one.after}  ({one.why})")
    if len(changed) > SHOWN:
        click.echo(f"\nand {len(changed) - SHOWN} more: --json lists all")
