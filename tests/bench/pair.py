"""`python -m tests.bench.pair`: two engines that encrypt to each other, as one process; settings no mesh.yaml has.

In: where the application and the span sink are, what is spoken between the two, how many connections are kept. Out: a
caller's proxy at `--listen`, its service being `back`; the folder gets what a client of another make needs to call the
called one directly, at `--inbound`.
"""

from __future__ import annotations

import signal
from pathlib import Path

import click
from cryptography.hazmat.primitives import serialization

from proxy._engine import Engine, Key
from proxy.snapshot import Endpoint, Inbound, Limits, Node, Outbound, Snapshot, Telemetry, Upstream, Workload
from tests.bench.secured import written_identity
from tests.world.identities import Issuer, spiffe_id


@click.command()
@click.option("--app", required=True, type=int)
@click.option("--sink", required=True, type=int)
@click.option("--listen", required=True, type=int)
@click.option("--inbound", required=True, type=int)
@click.option("--between", type=click.Choice(["http1", "http2"]), default="http1")
@click.option("--kept", default=64, help="Connections kept between them; 0: a new one for each request.")
@click.argument("folder", type=click.Path(path_type=Path))
def main(app: int, sink: int, listen: int, inbound: int, between: str, kept: int, folder: Path) -> None:
    """Serve until the process is ended."""
    issuer = Issuer()
    (folder / "root.pem").write_bytes(issuer.certificate.public_bytes(serialization.Encoding.PEM))
    written_identity(folder, issuer, "front")
    called = Endpoint(address=f"127.0.0.1:{inbound}", version="v1", instance="back-1")
    back = Upstream(
        name="back", authorities=("back",), endpoints=(called,), protocol=between, identity=spiffe_id("back")
    )
    telemetry = Telemetry(endpoint=f"http://127.0.0.1:{sink}/v1/traces")
    shared = {"epoch": 1, "telemetry": telemetry, "trust": issuer.trust()}
    engines = [
        _engine(
            Snapshot(
                workloads=(
                    Workload(
                        node=_node("back"),
                        inbound=Inbound(listen=called.address, app=f"127.0.0.1:{app}", tls="strict"),
                    ),
                ),
                **shared,
            ),
            issuer.identity("back"),
        ),
        _engine(
            Snapshot(
                workloads=(
                    Workload(node=_node("front"), outbound=Outbound(listen=f"127.0.0.1:{listen}"), services=(back,)),
                ),
                limits=Limits(pool_idle_per_endpoint=kept),
                **shared,
            ),
            issuer.identity("front"),
        ),
    ]
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    for engine in engines:
        engine.drain(0.5)


def _node(service: str) -> Node:
    return Node(service=service, version="v1", instance=f"{service}-1")


def _engine(snapshot: Snapshot, shows: tuple[Key, list[bytes]]) -> Engine:
    return Engine(snapshot.model_dump_json(), 1, None, None, {snapshot.workloads[0].node.service: shows})


if __name__ == "__main__":
    main()
