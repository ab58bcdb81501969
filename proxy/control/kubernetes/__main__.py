"""`python -m proxy.control.kubernetes`: a cluster -> a file of documents, for as long as the process lives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path

import click
from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient

from proxy.control.kubernetes.source import Cluster


@click.command(name="kubernetes")
@click.option("--write", "path", type=click.Path(path_type=Path), required=True, help="The file to keep written.")
@click.option("--kubeconfig", type=click.Path(exists=True, dir_okay=False), help="Instead of the cluster we run in.")
@click.option("--context", help="Of the kubeconfig.")
def command(path: Path, kubeconfig: str | None, context: str | None) -> None:
    """Keep a file of what a Kubernetes cluster says of the mesh, for `whymesh control -f`.

    Services and their ready endpoints, HTTPRoutes and GRPCRoutes of Services, and the mesh's own kinds. An object with
    a mistake is left out and named; the file always holds a mesh that can be taken.

    \b
    Example:
      whymesh kubernetes --write mesh/kubernetes.yaml --kubeconfig ~/.kube/config
      whymesh control -f mesh/
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        asyncio.run(_run(path, kubeconfig, context))
    except (config.ConfigException, OSError) as error:
        raise _NotDone(str(error)) from None


async def _run(path: Path, kubeconfig: str | None, context: str | None) -> None:
    if kubeconfig:
        await config.load_kube_config(config_file=kubeconfig, context=context)
    else:
        config.load_incluster_config()  # type: ignore[no-untyped-call]
    async with ApiClient() as api:
        following = asyncio.create_task(Cluster(api, path).run())
        for signum in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signum, following.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await following


class _NotDone(click.ClickException):
    """There is no cluster to follow."""

    exit_code = 2


if __name__ == "__main__":
    command()
