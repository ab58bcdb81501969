"""`whymesh demo`: the wiring of the shop, the mesh around it, its customers and its faults."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import time
from pathlib import Path

import aiohttp
import click
from rich.console import Console

from deploy.demo import edge, orders, trial
from deploy.demo.faults import Faults
from deploy.demo.live import LiveDemo
from deploy.demo.mesh import FAULTS
from deploy.demo.order import BadOrder, Order, parse
from deploy.demo.shop import RunningShop
from deploy.local.ports import Ports
from deploy.local.session import INTERRUPTED, NotStarted, Stopped, session, start, stop_signal, terminal, unless_stopped
from deploy.local.state import RunFolder, default_state


@dataclasses.dataclass(frozen=True)
class Options:
    """What the operator asked for."""

    orders: tuple[Order, ...]
    experiment: bool
    as_json: bool
    rate: float
    ui: bool


@click.command(name="demo")
@click.option(
    "--fault", "told", multiple=True, help="SERVICE:KIND[:AMOUNT] to inject with --exit, or none; several at once."
)
@click.option("--exit", "experiment", is_flag=True, help="Inject, wait for the finding, say whether it is right, end.")
@click.option("--json", "as_json", is_flag=True, help="With --exit: one JSON object on standard output.")
@click.option("--rate", default=40.0, show_default=True, type=click.FloatRange(1, 1000), help="Customers a second.")
@click.option("--port-offset", default=0, show_default=True, help="Added to every port.")
@click.option(
    "--state", type=click.Path(path_type=Path), help="Where logs and data go [default: ~/.local/state/whymesh]."
)
@click.option("--ui/--no-ui", default=True, show_default=True, help="The web UI; never with --exit.")
@click.option("--plain", is_flag=True, help="Without encryption, identities and policies.")
def command(
    told: tuple[str, ...],
    experiment: bool,
    as_json: bool,
    rate: float,
    port_offset: int,
    state: Path | None,
    ui: bool,
    plain: bool,
) -> None:
    """Run a shop of eight services with the whole mesh around it.

    Ten instances, a sidecar beside each, a gateway, customers, control plane, collector with ClickHouse, root cause and
    UI, all on this machine and on the loopback. The proxies encrypt to each other and deny whatever the shop does not
    need. Stays until Ctrl-C; break things with the keys shown or with `whymesh fault`.

    \b
    Examples:
      whymesh demo
      whymesh demo --port-offset 1000 --state /tmp/second
      whymesh demo --fault payments:latency --exit --json
      whymesh demo --fault none --exit --json
      whymesh demo --fault cart:link --fault payments:errors --exit
    \b
    Exit codes:
      0  ended by you; with --exit: every fault has its incident and nothing else has (with --fault none: nobody)
      1  with --exit: a finding is wrong or missing, or a request or span was lost
      2  it cannot start
      3  with --exit: the experiment was inconclusive, such as no baseline in time
    """
    try:
        wanted = tuple(parse(fault) for fault in told if fault != "none")
    except BadOrder as error:
        raise click.BadParameter(str(error), param_hint="--fault") from None
    if not experiment and (wanted or as_json):
        raise click.UsageError("--fault and --json need --exit; in a demo that stays, use `whymesh fault`")
    options = Options(wanted, experiment, as_json, rate, ui and not experiment)
    folder = RunFolder((state or default_state()) / "demo")
    shop = RunningShop(folder, Ports(port_offset), rate, ui=options.ui, secured=not plain)
    try:
        raise SystemExit(asyncio.run(_demo(shop, options)))
    except NotStarted as error:
        click.echo(f"whymesh demo: {error}", err=True)
        raise SystemExit(2) from None
    except Stopped:
        raise SystemExit(INTERRUPTED) from None
    except trial.Inconclusive as error:
        click.echo(f"whymesh demo: {error}", err=True)
        raise SystemExit(3) from None


async def _demo(shop: RunningShop, options: Options) -> int:
    """Starts everything, then stays or runs the experiment; returns the exit code."""
    console = terminal()
    stop = stop_signal()
    began = time.monotonic()
    async with session(shop.folder, shop.wanted(), console, fresh=True) as supervisor:
        await start(supervisor, shop.specs(), console, stop)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
            faults = Faults(shop, supervisor, http)
            runner = await orders.listen(faults, FAULTS + shop.ports.offset)
            _announce(shop)
            try:
                if options.experiment:
                    trying = trial.run(options.orders, shop, faults, http, console.print)
                    return _judge(await unless_stopped(trying, stop), console, options)
                count, took = len(supervisor.names()), time.monotonic() - began
                console.print(f"{count} processes are up after {took:.1f} s; logs in {shop.folder.logs}")
                _greet(shop, console, options)
                await LiveDemo(shop, faults, http, stop, ui=options.ui).stay(console)
                return 0
            finally:
                await runner.cleanup()
                console.print("stopping")


def _announce(shop: RunningShop) -> None:
    shop.folder.announce(shop.control.announced(os.getpid(), shop.url(FAULTS)))


def _greet(shop: RunningShop, console: Console, options: Options) -> None:
    for name in (*(("ui",) if options.ui else ()), "rootcause", "clickhouse_http", "otlp_http"):
        console.print(f"  {name:16} {shop.ports.url(name)}")
    console.print(f"  {'control':16} {shop.control.url} (whymesh status)")
    console.print(f"  {'the shop':16} {edge.door(shop.ports)}")
    console.print("break something: whymesh fault payments latency 300ms; then ask: whymesh why")


def _judge(verdict: trial.Verdict, console: Console, options: Options) -> int:
    """Prints the verdict; returns 0 when it is right and nothing is missing."""
    if options.as_json:
        click.echo(json.dumps(dataclasses.asdict(verdict)))
    console.print(f"{'right' if verdict.right else 'wrong'}: {verdict.fault}, rank {verdict.rank}")
    if verdict.request_errors:
        how = {**verdict.failures, **verdict.reasons}
        told = ", ".join(f"{name} ({count})" for name, count in how.items())
        console.print(f"{verdict.request_errors} of {verdict.requests} requests failed: {told}")
    return 0 if verdict.right and verdict.whole else 1
