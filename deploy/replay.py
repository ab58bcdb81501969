"""`whymesh replay`: a recorded incident through the whole path, OTLP port to finding.

In: a case folder (case.json, spans.otlp.zst and the baseline files it names). Out: the ranking, for people or as JSON.
The recorded times are kept: spans of an incident of last year are stored under last year.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deploy.replaying import Collector, Outcome, replay
from rootcause.load.recorded import Case, CaseRefused, read_case

if TYPE_CHECKING:
    from rich.console import Console

PORTS = ("--grpc", "--http", "--clickhouse-native", "--clickhouse-http", "--metrics")


@click.command(name="replay")
@click.argument("case", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--otlp", help="OTLP/HTTP port of a running collector, such as http://127.0.0.1:4318.")
@click.option("--store", help="Its store, such as clickhouse://127.0.0.1:9000/otel.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def command(case: Path, otlp: str | None, store: str | None, as_json: bool) -> None:
    """Put a recorded incident through the collector and the root-cause engine.

    The spans go to the collector's OTLP port, are read back from its store, and the engine says who did it. Without
    --otlp and --store a collector of its own is started on free ports, and stopped afterwards with its data.

    \b
    Examples:
      whymesh replay rca/nezha-trainticket/nezha-tt-001
      whymesh replay rca/nezha-trainticket/nezha-tt-001 --json | jq .ranking
    \b
    Exit codes: 0 done (whoever is blamed), 2 the case or the collector cannot be used.
    """
    from rich.console import Console

    if bool(otlp) != bool(store):
        raise click.UsageError("--otlp and --store belong together: the spans sent to one are read from the other")
    console = Console(stderr=True, highlight=False)
    try:
        given = Collector(otlp, store) if otlp and store else None
        outcome = asyncio.run(_run(read_case(case), given, console))
    except (CaseRefused, ReplayFailed) as error:
        click.echo(f"whymesh replay: {error}", err=True)
        raise SystemExit(2) from None
    if as_json:
        click.echo(json.dumps(outcome.as_json(), indent=1))
    else:
        _show(outcome)


class ReplayFailed(Exception):
    """The collector could not be started or used; the message says why."""


async def _run(case: Case, given: Collector | None, console: Console) -> Outcome:
    from collector.store.errors import QueryFailed, StoreUnavailable

    with console.status("starting a collector") as status:
        try:
            if given is not None:
                return await asyncio.to_thread(replay, case, given, status.update)
            async with _own_collector() as own:
                return await asyncio.to_thread(replay, case, own, status.update)
        except (StoreUnavailable, QueryFailed, OSError) as error:
            raise ReplayFailed(str(error)) from error


@asynccontextmanager
async def _own_collector() -> AsyncIterator[Collector]:
    """A collector of this replay's own, in a folder that goes with it. Raises ReplayFailed."""
    from deploy.local.processes import our_environment, ours
    from deploy.local.supervise import Spec, StartFailed, Supervisor

    with tempfile.TemporaryDirectory(prefix="whymesh-replay-") as folder:
        addresses = [f"127.0.0.1:{port}" for port in _free_ports(len(PORTS))]
        named = dict(zip(PORTS, addresses, strict=True))
        options = [part for pair in named.items() for part in pair]
        arguments = ours("collector", "--data", f"{folder}/data", *options)
        supervisor = Supervisor(Path(folder), lambda death: None)
        try:
            ready = f"http://{named['--metrics']}/readyz"
            await supervisor.start([Spec("collector", arguments, our_environment(), ready=ready, grace_s=20.0)])
            yield Collector(f"http://{named['--http']}", f"clickhouse://{named['--clickhouse-native']}/otel")
        except StartFailed as error:
            raise ReplayFailed(str(error)) from error
        finally:
            await supervisor.stop_all()


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _show(outcome: Outcome) -> None:
    """The ranking as a table, and why."""
    from rich.console import Console
    from rich.table import Table

    out = Console(highlight=False, file=sys.stdout)
    out.print(
        f"case {outcome.case}: {outcome.sent} spans sent, {outcome.stored_before} were stored already,"
        f" engine took {outcome.seconds:.2f} s",
        markup=False,
    )
    if outcome.finding is None:
        out.print(f"{outcome.state}: {outcome.summary}", markup=False)
        return
    out.print(outcome.finding.title, markup=False)
    table = Table("", "service", "score", "why")
    for place, ranked in enumerate(outcome.finding.ranking, 1):
        table.add_row(str(place), ranked.service, f"{ranked.score:.3f}", ranked.why)
    out.print(table)
    for evidence in outcome.finding.evidence:
        out.print(f"  {evidence.statement}", markup=False)
    onset = outcome.finding.onset
    if onset is not None:
        out.print(f"  began {onset.at:%Y-%m-%d %H:%M:%S} UTC, give or take {onset.within_s:.0f} s", markup=False)
    if outcome.finding.exemplars:
        out.print(f"  traces: {', '.join(outcome.finding.exemplars)}", markup=False)
