"""`python -m proxy.control`: configuration on disk -> registry -> one snapshot a proxy, streamed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import sys
from pathlib import Path
from typing import TextIO

import click

from proxy.control.api.operator import kept_key
from proxy.control.authority.safe import Safe, secret_of
from proxy.control.errors import ConfigRefused, ControlError, NotStarted
from proxy.control.options import Options
from proxy.control.serve import serve, start


@click.command(name="control")
@click.option(
    "-f",
    "--file",
    "path",
    type=click.Path(path_type=Path),
    help="mesh.yaml, or a folder of them; without it the configuration is what the API was told.",
)
@click.option("--kubernetes", is_flag=True, help="Instead: what a Kubernetes cluster says of the mesh, followed.")
@click.option(
    "--listen", default="127.0.0.1:7460", show_default=True, help="API and snapshot streams in the clear; '' for none."
)
@click.option("--tls", default="", help="Where proxies and people elsewhere connect, over TLS, such as 0.0.0.0:7461.")
@click.option("--dns", default="", help="Where names of services are answered, such as 127.0.0.1:7453.")
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="Folder that keeps epochs with their history, changes over the API, registrations; two may share it.",
)
@click.option("--url", help="Where others reach this API, if not at --listen: one that does not lead sends them there.")
@click.option("--telemetry", default="", help="Base URL of an OTLP/HTTP receiver, such as http://127.0.0.1:4318.")
@click.option("--token", type=click.File(), help="File with a token by which other machines may make changes.")
@click.option(
    "--operator-key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write a token to, which changes take then on this machine, too: from whoever can read it.",
)
@click.option(
    "--ca-secret",
    type=click.File(),
    help="File with a secret that seals the keys of the authority; or give it in WHYMESH_CA_SECRET.",
)
@click.option(
    "--node-key", type=click.Path(path_type=Path), help="File to write a key to by which proxies that can read it join."
)
@click.option(
    "--review-tokens", is_flag=True, help="Pods of a Kubernetes cluster join with their service account token."
)
@click.option("--inject", default="", help="Image of the proxy that Pods of the cluster get as they are created.")
@click.option("--kubeconfig", type=click.Path(exists=True, dir_okay=False), help="Of another cluster than we run in.")
def command(
    path: Path | None,
    kubernetes: bool,
    listen: str,
    tls: str,
    dns: str,
    state: Path | None,
    url: str | None,
    telemetry: str,
    token: TextIO | None,
    operator_key: Path | None,
    ca_secret: TextIO | None,
    node_key: Path | None,
    review_tokens: bool,
    inject: str,
    kubeconfig: str | None,
) -> None:
    """Tell every proxy of the mesh what to do.

    Reads the mesh configuration, checks it whole, and streams one snapshot to each sidecar that follows. An edit
    takes effect within a second; a mistake is refused with its path and the last good configuration stays in force.
    The same over HTTP: whymesh apply, get, history.

    \b
    Example:
      whymesh control -f mesh.yaml --state state/
      whymesh control --kubernetes --state state/ --kubeconfig ~/.kube/config
      curl http://127.0.0.1:7460/v1/status
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    if path and kubernetes:
        raise click.UsageError("--kubernetes and -f: the mesh is written in the cluster or in files; name one of them")
    if not (path or kubernetes or state):
        raise click.UsageError(
            "name what the mesh is: -f mesh.yaml or --kubernetes, --state with what the API was told"
        )
    if not (listen or tls):
        raise click.UsageError("say where it is reached: --listen, --tls, or both")
    if inject and not (kubernetes and tls and review_tokens and (url or "").startswith("https://")):
        raise click.UsageError(
            "--inject: takes --kubernetes, --tls, --review-tokens and --url https://…, where proxies reach --tls"
        )
    given = token.read().strip() if token else ""
    reach = url or (f"http://{listen}" if listen else f"https://{tls}")
    try:
        operator = kept_key(operator_key) if operator_key else ""
        told = (given, operator, review_tokens, kubeconfig, inject)
        options = Options(path, kubernetes, listen, tls, dns, state, reach, telemetry, *told)
        beginning = start(options)
    except ConfigRefused as error:
        raise SystemExit(_refusal(error)) from None
    except (ControlError, ValueError, OSError) as error:
        raise SystemExit(_say(str(error))) from None
    _take_every_file()
    try:
        asyncio.run(serve(options, beginning, Safe(state, secret_of(ca_secret), node_key)))
    except NotStarted as error:
        raise SystemExit(_say(str(error))) from None


def _take_every_file() -> None:
    """Each proxy that follows is an open file, and the usual limit of 1024 is not meant."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # where "no limit" is more than the system gives
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _refusal(error: ConfigRefused) -> int:
    return _say("the mesh configuration is not taken:\n  " + "\n  ".join(error.mistakes))


def _say(message: str) -> int:
    click.echo(f"whymesh control: {message}", err=True)
    return 2


if __name__ == "__main__":
    command()
