"""`whymesh fault`: sends one order to the running demo. In: words. Out: an answer from the demo's own port."""

from __future__ import annotations

import json
from pathlib import Path

import click

from deploy.asking import Unanswered, ask
from deploy.demo.order import KINDS, BadOrder, order
from deploy.local.state import default_state, find_running

LONGEST_S = 60.0


@click.command(
    name="fault",
    epilog="\b\nKinds of faults:\n"
    + "\n".join(f"  {name:8} {kind.what} (default {kind.default})" for name, kind in KINDS.items())
    + "\n  clear    heals the service",
)
@click.argument("service")
@click.argument("kind", type=click.Choice([*KINDS, "clear"]))
@click.argument("amount", default="")
@click.option("--instance", default="", help="Only this instance of the service, such as payments-2.")
@click.option("--state", type=click.Path(path_type=Path), help="State directory of the demo, if it was given one.")
def command(service: str, kind: str, amount: str, instance: str, state: Path | None) -> None:
    """Break a service of the running demo, or heal it.

    \b
    Examples:
      whymesh fault payments latency 300ms
      whymesh fault inventory errors 20%
      whymesh fault recommendations version 50%
      whymesh fault payments latency 300ms --instance payments-2
      whymesh fault payments clear
    \b
    Exit codes: 0 done, 1 the demo could not do it, 2 no such fault, 3 no demo is running.
    """
    running = find_running(state or default_state(), demo=True)
    if running is None:
        click.echo("whymesh fault: no demo is running here; start one with `whymesh demo`", err=True)
        raise SystemExit(3)
    if kind == "clear":
        _order(f"{running.faults}/faults/{service}", "DELETE")
    else:
        try:
            wanted = order(service, kind, amount, instance)
        except BadOrder as error:
            raise click.UsageError(str(error)) from None
        _order(f"{running.faults}/faults", "POST", json.dumps(vars(wanted)).encode())
    click.echo(f"{service} is healed" if kind == "clear" else f"injected {wanted}; ask `whymesh why` in half a minute")


def _order(url: str, method: str, body: bytes | None = None) -> None:
    try:
        ask(url, "the demo", method=method, body=body, timeout_s=LONGEST_S).close()
    except Unanswered as error:
        click.echo(f"whymesh fault: {error.word or error}", err=True)
        raise SystemExit({0: 3, 400: 2}.get(error.status, 1)) from None
