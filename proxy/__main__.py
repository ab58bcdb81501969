"""`python -m proxy`: the sidecar's command line, which becomes the sidecar (proxy/serve.py).

In: options. Out: the same process, running a fresh interpreter: what reading options took is a fifth of the memory of a
sidecar that keeps it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from proxy.registering import options, registration
from proxy.serve import Settings


@click.command(name="proxy")
@click.option(
    "--control",
    default="http://127.0.0.1:7460",
    show_default=True,
    help="The control plane, or several over one state: a,b.",
)
@click.option(
    "--instance",
    help="The instance this proxy stands beside, as the mesh configuration names it.",
)
@click.option("--node", help="Instead: the node whose instances share this proxy (sidecar.node).")
@click.option("--gateway", help="Or: the Gateway that this proxy is.")
@click.option(
    "--admin", default="127.0.0.1:15020", show_default=True, help="/metrics /healthz /readyz /config /stats /tap."
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="Folder that keeps the last good snapshot, and spans while the collector is away.",
)
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(1, 256), help="Threads that carry traffic."
)
@click.option("--drain", default=10.0, show_default=True, help="Seconds requests in flight may take after SIGTERM.")
@click.option(
    "--replace", is_flag=True, help="Take over from the process of the same proxy and --state, which then drains."
)
@click.option(
    "--join",
    type=click.Path(path_type=Path),
    help="File with a token or node key, where services have identities (whymesh ca token).",
)
@click.option(
    "--control-root",
    default="",
    help="For --control https://…: file with the roots of the mesh (PEM), or sha256: and the fingerprint of one.",
)
@click.option("--probes", default="", help="What /probe/NAME of --admin asks the application, as JSON (Kubernetes).")
@click.option("--register", "service", help="Register --instance with this Service, and leave it when stopped.")
@click.option("--inbound", help="With --register: where the mesh reaches the application through this proxy.")
@click.option("--outbound", help="With --register: the application's HTTP_PROXY.")
@options
def command(
    control: str,
    instance: str | None,
    node: str | None,
    gateway: str | None,
    admin: str,
    state: Path | None,
    workers: int,
    drain: float,
    replace: bool,
    join: Path | None,
    control_root: str,
    probes: str,
    service: str | None,
    inbound: str | None,
    outbound: str | None,
    app: str | None,
    address: str | None,
    version: str,
    zone: str | None,
    lease: str,
    token: Path | None,
) -> None:
    """Carry the traffic of one service instance, of those of a node, or what comes in at a gateway, and record
    every request.

    Follows the control plane for what to do; starts from the last good snapshot when the control plane is away.
    An instance that the configuration does not name registers itself (--register, --app, --inbound, --outbound).

    \b
    Example:
      whymesh proxy --instance payments-1 --state state/
      whymesh proxy --instance payments-1 --state state/ --replace
      whymesh proxy --instance payments-7 --register payments --app 127.0.0.1:8080 \\
          --inbound 10.0.0.7:15006 --outbound 127.0.0.1:15001
      whymesh proxy --node edge-1 --state state/
      whymesh proxy --gateway shop-edge --state state/
      whymesh proxy --instance payments-1 --control https://mesh.example:7461 --control-root roots.pem --join token
      curl http://127.0.0.1:15020/metrics
    """
    named = [name for name in (instance, node, gateway) if name]
    if len(named) != 1:
        raise click.UsageError("name what the proxy is for: one of --instance, --node and --gateway")
    if replace and not state:
        raise click.UsageError("--replace: the two processes meet in the folder of --state; name it")
    said = ""
    if service:
        if not (instance and app and inbound and outbound):
            raise click.UsageError("--register: --instance, --app, --inbound and --outbound say what joins the service")
        about = {"app": app, "address": address, "version": version, "zone": zone, "lease": lease}
        said = registration(service, instance, about, {"inbound": inbound, "outbound": outbound, "admin": admin})
    told = (replace, said, str(token or ""), str(join or ""), control_root, probes)
    settings = Settings(control, named[0], admin, str(state or ""), workers, drain, *told)
    os.execv(sys.executable, settings.command())  # noqa: S606  (no shell: our own interpreter)


if __name__ == "__main__":
    command()
