"""`python -m proxy.workload`: joins in the name of an application, and serves it the SPIFFE Workload API."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import threading
from binascii import a2b_base64
from functools import partial
from pathlib import Path
from typing import Any

import click

from proxy.anchors import Anchors
from proxy.identities import Identities
from proxy.saved_identity import SavedIdentities
from proxy.subscribe import ControlPlane, Flush
from proxy.workload.door import open_door
from proxy.workload.key import ApplicationKey
from proxy.workload.lists import is_denied
from proxy.workload.served import Served

log = logging.getLogger("whymesh.workload")


@click.command(name="workload-api")
@click.option("--instance", required=True, help="The instance of the application, as the configuration names it.")
@click.option("--socket", type=click.Path(path_type=Path), required=True, help="The path of the Unix socket.")
@click.option("--mode", default="600", show_default=True, help="Permissions of the socket: who connects has the key.")
@click.option("--control", default="http://127.0.0.1:7460", show_default=True, help="The control plane.")
@click.option("--control-root", default="", help="By what one at https:// is known, as for `whymesh proxy`.")
@click.option("--join", type=click.Path(path_type=Path), required=True, help="File with a token or node key.")
def command(instance: str, socket: Path, mode: str, control: str, control_root: str, join: Path) -> None:
    """Give an application the identity of its service, for TLS of its own: the SPIFFE Workload API, X.509 part.

    Whoever may connect to the socket gets the certificate and its key, and each newer one; SPIFFE libraries find it by
    SPIFFE_ENDPOINT_SOCKET.

    \b
    Example:
      whymesh workload-api --instance payments-1 --socket /run/payments/spiffe.sock --join node.key
      SPIFFE_ENDPOINT_SOCKET=unix:///run/payments/spiffe.sock ./payments
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        anchors = Anchors(control_root) if control_root else None
        stop = threading.Event()
        plane = _Plane(control, instance, stop, anchors)
        asyncio.run(_serve(plane, socket.absolute(), int(mode, 8), join, stop))
    except (OSError, ValueError) as error:
        click.echo(f"whymesh workload-api: {error}", err=True)
        raise SystemExit(2) from None


class _Plane(ControlPlane):
    """Asks for an application's certificates, which the authority tells from those of the proxy beside it."""

    def identity(self, wish: str) -> dict[str, Any]:
        """As that of a proxy."""
        return super().identity(json.dumps({**json.loads(wish), "application": True}))


async def _serve(plane: _Plane, path: Path, mode: int, join: Path, stop: threading.Event) -> None:
    served = Served()
    key: Any = ApplicationKey  # has what is asked of a key that is not kept
    saved = SavedIdentities(None, plane.proxy, lambda: b"", key)
    identities = Identities(plane, key, join, saved, stop)
    if plane.anchors is not None:
        plane.anchors.shows, plane.anchors.token = lambda: None, identities.token
    server = await open_door(path, mode, served)
    threading.Thread(target=_follow, args=(plane, identities, served), daemon=True).start()
    threading.Thread(target=identities.run, daemon=True).start()
    log.info("the Workload API of %s at %s", plane.proxy, path)
    ended = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, ended.set)
    await ended.wait()
    stop.set()
    await server.stop(0.5)


def _follow(plane: _Plane, identities: Identities, served: Served) -> None:
    """Who the application is and whom it believes, by the snapshots of the proxy beside it."""
    for message in plane.messages():
        if isinstance(message, Flush):
            continue
        snapshot = json.loads(message)
        names = {
            one["node"]["service"]: one["identity"] for one in snapshot.get("workloads", ()) if one.get("identity")
        }
        domain = next((name.split("/")[2] for name in names.values()), "")
        crls = [a2b_base64(one["crl"]) for one in snapshot.get("trust", {}).get("crls", {}).get(domain, ())]
        denied = [service for service, held in list(identities.held.items()) if is_denied(held.chain[0], crls)]
        identities.want(partial(_grant, served, names), snapshot, denied)
        served.believe(domain, identities.roots, crls)
        if plane.anchors is not None:
            plane.anchors.learn(identities.roots)


def _grant(served: Served, names: dict[str, str], service: str, key: Any, chain: list[bytes]) -> None:
    served.grant(service, names[service], key, chain)


if __name__ == "__main__":
    command()
