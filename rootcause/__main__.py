"""`python -m rootcause`: roll-ups -> windows -> verdict -> incidents -> webhooks and API."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click
from aiohttp import web

from rootcause.api import Api
from rootcause.live import Live
from rootcause.settings import Settings, SettingsRefused, read_settings

log = logging.getLogger("whymesh.rootcause")


@click.command(name="rootcause")
@click.option("--config", type=click.Path(path_type=Path), help="rootcause.yaml; options below override it.")
@click.option("--store", help="Where the mesh's tables are [default: clickhouse://rootcause@127.0.0.1:9000/otel].")
@click.option("--listen", help="API and metrics [default: 127.0.0.1:7470].")
@click.option("--webhook", "webhooks", multiple=True, metavar="[FORMAT+]URL", help="Told of each incident; repeatable.")
@click.option("--state", type=click.Path(path_type=Path), help="Folder that keeps messages until they are delivered.")
@click.option("--control", help="The control plane, where recordings are wanted and the file does not say whose.")
@click.option("--control-root", type=click.Path(path_type=Path), help="File of roots by which it is known at https.")
@click.option("--control-token", type=click.Path(path_type=Path), help="File with the token that it wants.")
@click.option("--telemetry", help="Base URL of an OTLP/HTTP receiver, such as http://127.0.0.1:4318.")
def command(
    config: Path | None,
    store: str | None,
    listen: str | None,
    webhooks: tuple[str, ...],
    state: Path | None,
    control: str | None,
    control_root: Path | None,
    control_token: Path | None,
    telemetry: str | None,
) -> None:
    """Watch the service graph and say which service, version, instance, route or link degraded what.

    Compares the last seconds with the minutes before, every few seconds. Opens an incident for each root cause, tells
    the webhooks, closes it when it heals, and says that nothing is wrong when nothing is.

    \b
    Example:
      whymesh rootcause --store clickhouse://rootcause@127.0.0.1:9000/otel
      curl http://127.0.0.1:7470/v1/why
    """
    _log()
    given: dict[str, Any] = {"store": store, "listen": listen, "telemetry": telemetry, "state": state}
    given = {name: value for name, value in given.items() if value is not None}
    if webhooks:
        given["webhooks"] = {"urls": webhooks}
    try:
        reached = {"control": control, "root_file": control_root, "token_file": control_token}
        settings = read_settings(config, given, {name: value for name, value in reached.items() if value})
        asyncio.run(_serve(settings))
    except (SettingsRefused, ValueError) as error:
        raise SystemExit(_say(str(error))) from None


async def _serve(settings: Settings) -> None:
    live = Live(settings)
    api = Api(
        lambda: live.answer,
        lambda: live.ready,
        live.book,
        live.journal,
        live.alarms,
        live.alarm_rows,
        live.read_request,
        live.orders,
        live.telemetry.metrics,
    )
    runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    host, _, port = settings.listen.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except (OSError, ValueError, OverflowError) as error:
        await runner.cleanup()
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise SettingsRefused(f"listen {settings.listen}: {reason}; another engine may be running") from None
    log.info("listening on %s:%d, reading %s", *runner.addresses[0][:2], live.store)
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    await live.start()
    await stop.wait()
    await live.stop()
    await runner.cleanup()


class _JsonLines(logging.Formatter):
    """One JSON object a record, for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _log() -> None:
    handler = logging.StreamHandler(sys.stderr)
    if not sys.stderr.isatty():
        handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _say(sentence: str) -> int:
    click.echo(f"whymesh rootcause: {sentence}", err=True)
    return 2


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        command()
