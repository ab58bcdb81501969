"""`whymesh fault`: sends one order to the running demo. In: words. Out: an answer from the demo's own port."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import click

from deploy.demo.order import KINDS, BadOrder, order
from deploy.state import default_state, find_running

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
        request = urllib.request.Request(f"{running.faults}/faults/{service}", method="DELETE")  # noqa: S310 (our file)
    else:
        try:
            wanted = order(service, kind, amount, instance)
        except BadOrder as error:
            raise click.UsageError(str(error)) from None
        request = urllib.request.Request(  # noqa: S310 (our file)
            f"{running.faults}/faults",
            data=json.dumps(vars(wanted)).encode(),
            headers={"Content-Type": "application/json"},
        )
    _send(request)
    click.echo(f"{service} is healed" if kind == "clear" else f"injected {wanted}; ask `whymesh why` in half a minute")


def _send(request: urllib.request.Request) -> None:
    try:
        urllib.request.urlopen(request, timeout=LONGEST_S).close()  # noqa: S310 (our file)
    except urllib.error.HTTPError as error:
        with error:
            message = json.load(error)["error"]
        click.echo(f"whymesh fault: {message}", err=True)
        raise SystemExit(2 if error.code == 400 else 1) from None
    except OSError as error:
        click.echo(f"whymesh fault: the demo does not answer: {error}", err=True)
        raise SystemExit(3) from None
