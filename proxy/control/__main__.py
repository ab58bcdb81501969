"""`python -m proxy.control`: configuration on disk -> registry -> one snapshot a proxy, streamed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

import click
from aiohttp import web

from proxy.control.api import Api
from proxy.control.changes import changes_between
from proxy.control.errors import ConfigRefused
from proxy.control.publish import Publisher
from proxy.control.read import load
from proxy.control.registry import register
from proxy.control.state import EpochFile, digest
from proxy.control.telemetry import Telemetry
from proxy.control.watch import Mark, edits, mark_of

log = logging.getLogger("whymesh.control")


@click.command(name="control")
@click.option(
    "-f",
    "--file",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="mesh.yaml, or a folder of them.",
)
@click.option("--listen", default="127.0.0.1:7460", show_default=True, help="API and snapshot streams.")
@click.option("--state", type=click.Path(path_type=Path), help="Folder that keeps the epoch over a restart.")
@click.option("--telemetry", default="", help="Base URL of an OTLP/HTTP receiver, such as http://127.0.0.1:4318.")
def command(path: Path, listen: str, state: Path | None, telemetry: str) -> None:
    """Tell every proxy of the mesh what to do.

    Reads the mesh configuration, checks it whole, and streams one snapshot to each sidecar that follows. An edit
    takes effect within a second; a mistake is refused with its path and the last good configuration stays in force.

    \b
    Example:
      whymesh control -f mesh.yaml
      curl http://127.0.0.1:7460/v1/status
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    mark = mark_of(path)
    try:
        configuration = load(path)
        registry = register(configuration)
        epochs = EpochFile(state / "epoch.json" if state else None)
        epoch = epochs.first(digest(configuration))
    except ConfigRefused as error:
        raise SystemExit(_refusal(error)) from None
    except ValueError as error:
        raise SystemExit(_say(str(error))) from None
    epochs.keep(epoch, digest(configuration))
    asyncio.run(_serve(path, mark, listen, epochs, Publisher(registry, epoch), telemetry))


async def _serve(path: Path, mark: Mark, listen: str, epochs: EpochFile, publisher: Publisher, endpoint: str) -> None:
    telemetry = Telemetry(endpoint, publisher)
    runner = web.AppRunner(Api(publisher, telemetry.metrics).application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except (OSError, ValueError) as error:
        await runner.cleanup()
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise SystemExit(_say(f"--listen {listen}: {reason}; another control plane may be running")) from None
    log.info("epoch %d of %s on %s", publisher.epoch, path, listen)
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    following = asyncio.create_task(_follow(path, mark, epochs, publisher, telemetry))
    await stop.wait()
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    await runner.cleanup()
    telemetry.close()


async def _follow(path: Path, mark: Mark, epochs: EpochFile, publisher: Publisher, telemetry: Telemetry) -> None:
    """Takes each edit that is valid, as a new epoch; an edit that changes nothing is none."""
    async for _ in edits(path, since=mark):
        try:
            configuration = load(path)
            registry = register(configuration)
        except ConfigRefused as error:
            telemetry.refusals.inc()
            publisher.refuse(error.mistakes)
            log.error("edit refused, epoch %d stays in force:\n%s", publisher.epoch, error)
            continue
        before, epoch = publisher.registry, publisher.epoch + 1
        if registry == before:
            publisher.refuse([])
            continue
        epochs.keep(epoch, digest(configuration))
        await publisher.publish(registry, epoch)
        for change in changes_between(before, registry):
            log.info("epoch %d: %s", epoch, change.summary)
            telemetry.report(change, epoch, actor=f"file {path.name}")


def _refusal(error: ConfigRefused) -> int:
    return _say("the mesh configuration is not taken:\n  " + "\n  ".join(error.mistakes))


def _say(message: str) -> int:
    click.echo(f"whymesh control: {message}", err=True)
    return 2


if __name__ == "__main__":
    command()
