"""`python -m proxy`: the sidecar's wiring, top to bottom: control plane -> engine -> admin port -> drain."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

import click

from proxy.admin import AdminServer
from proxy.saved import SavedSnapshot
from proxy.sidecar import Sidecar
from proxy.subscribe import ControlPlane


@click.command(name="proxy")
@click.option("--control", default="http://127.0.0.1:7460", show_default=True, help="The control plane.")
@click.option(
    "--instance",
    required=True,
    help="The instance this proxy stands beside, as the mesh configuration names it.",
)
@click.option("--admin", default="127.0.0.1:15020", show_default=True, help="/metrics /healthz /readyz /config /stats.")
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="Folder that keeps the last good snapshot, and spans while the collector is away.",
)
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(1, 256), help="Threads that carry traffic."
)
@click.option("--drain", default=10.0, show_default=True, help="Seconds requests in flight may take after SIGTERM.")
def command(control: str, instance: str, admin: str, state: Path | None, workers: int, drain: float) -> None:
    """Carry the traffic of one service instance and record every request.

    Follows the control plane for what to do; starts from the last good snapshot when the control plane is away.

    \b
    Example:
      whymesh proxy --instance payments-1 --state state/
      curl http://127.0.0.1:15020/metrics
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    try:
        follow = ControlPlane(control, instance, stop)
        saved = SavedSnapshot(state / f"{instance}.snapshot.json" if state else None)
        spool = state / f"{instance}.spool" if state else None
        sidecar = Sidecar(follow, saved, workers, stop, spool)
        host, _, port = admin.rpartition(":")
        server = AdminServer(host.strip("[]"), int(port), sidecar)
    except (OSError, ValueError) as error:
        raise SystemExit(
            _say(f"--admin {admin}: {error.strerror}" if isinstance(error, OSError) else str(error))
        ) from None
    server.start()
    threading.Thread(target=sidecar.run, name="follow", daemon=True).start()
    while not stop.wait(1.0):  # a bounded wait: signals reach Python code only between waits
        pass
    if sidecar.failed:
        raise SystemExit(_say(sidecar.failed))
    clean = sidecar.drain(drain)
    server.shutdown()
    raise SystemExit(0 if clean else 1)


def _say(message: str) -> int:
    click.echo(f"whymesh proxy: {message}", err=True)
    return 2


if __name__ == "__main__":
    command()
