"""`whymesh register` and `deregister`: an instance without a sidecar of its own joins the mesh, and leaves it."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

import click

from deploy.asking import ROOT
from deploy.local.reach import DEFAULT_URL, reach
from proxy.anchors import Anchors
from proxy.lease import Lease
from proxy.registering import TOKEN, options, registration
from proxy.subscribe import ControlPlane

CONTROL = click.option(
    "--control", help=f"The control plane [default: that of the running demo or `up`, else {DEFAULT_URL}]."
)


@click.command(name="register")
@click.argument("service")
@click.argument("instance")
@CONTROL
@click.option("--hold", is_flag=True, help="Stay, renew the lease, and deregister when stopped.")
@options
def register(
    service: str,
    instance: str,
    control: str | None,
    hold: bool,
    app: str | None,
    address: str | None,
    version: str,
    zone: str | None,
    lease: str,
    token: Path | None,
) -> None:
    """Let an instance join a service of the mesh for as long as its lease is renewed.

    The service has to be in the configuration. Registering again renews.

    \b
    Examples:
      whymesh register orders orders-7 --app 10.0.0.7:8080 --version v2
      whymesh register orders orders-7 --app 10.0.0.7:8080 --hold
    """
    if app is None:
        raise click.UsageError("--app: say where the instance listens, as host:port")
    said = {"app": app, "address": address, "version": version, "zone": zone, "lease": lease}
    stop = threading.Event()
    held = _lease(control, instance, registration(service, instance, said, None), token, stop)
    try:
        renew_s = held.register()
    except OSError as error:
        raise _NotDone(str(error)) from None
    click.echo(f"{instance} is an instance of {service}; renew it every {renew_s:g} s")
    if not hold:
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    threading.Thread(target=held.hold, args=(stop,), name="lease", daemon=True).start()
    while not stop.wait(1.0):  # a bounded wait: signals reach Python code only between waits
        pass
    _leave(held)


@click.command(name="deregister")
@click.argument("instance")
@CONTROL
@TOKEN
def deregister(instance: str, control: str | None, token: Path | None) -> None:
    """Take a registered instance out of the mesh.

    \b
    Example:
      whymesh deregister orders-7
    """
    _leave(_lease(control, instance, "", token, threading.Event()))
    click.echo(f"{instance} is no longer registered")


def _lease(control: str | None, instance: str, said: str, token: Path | None, stop: threading.Event) -> Lease:
    asked = reach(control, None, "--control")
    shown = token.read_text().strip() if token else asked.token
    if asked.url.startswith("https:") and not asked.root:
        raise click.UsageError(f"--control {asked.url}: name the file of roots by which it is known in {ROOT}")
    try:
        plane = ControlPlane(asked.url, instance, stop, Anchors(asked.root) if asked.root else None)
        return Lease(plane, instance, said, shown)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _leave(held: Lease) -> None:
    try:
        held.leave()
    except OSError as error:
        raise _NotDone(str(error)) from None


class _NotDone(click.ClickException):
    """The control plane is away, or says no."""

    exit_code = 2
