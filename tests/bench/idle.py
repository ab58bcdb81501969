"""What an idle connection costs: memory of each proxy before and after 10 000 clients connect, ask once and stay."""

from __future__ import annotations

import contextlib
import socket
import time

import click

from tests.bench.environment import Environment
from tests.bench.peers import ENVOY, ENVOY_TRACED, HAPROXY, OURS, Peer
from tests.bench.results import Column, Findings, Table, Target
from tests.bench.running import Running

CONNECTIONS = 10_000
MOST_KB = 32
_PEERS = (OURS, ENVOY_TRACED, ENVOY, HAPROXY)
_REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"


def measure(environment: Environment) -> Findings:
    """The bytes of each connection, ours and those of others."""
    costs = {peer.name: _bytes_each(peer, environment) for peer in _PEERS}
    ours = costs[OURS.name]
    table = Table(
        title=f"{CONNECTIONS:,} idle connections that have asked once",
        columns=(Column(head="proxy"), Column(head="KB each", form=".1f"), Column(head="ratio", form=".2f", unit="x")),
        rows=tuple((name, each / 1e3, each / ours) for name, each in costs.items()),
    )
    what = f"{CONNECTIONS:,} idle connections: memory of each"
    target = Target(what=what, measured=ours / 1e3, target=MOST_KB, stretch=16, bound="at most", unit=" KB")
    return Findings(section="idle", tables=(table,), targets=(target,))


def _bytes_each(peer: Peer, environment: Environment) -> float:
    with peer.start(environment, False) as running, contextlib.ExitStack() as clients:
        before = running.rss_mb()
        for _ in range(CONNECTIONS):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=10))
            client.sendall(_REQUEST)
            assert client.recv(4096).startswith(b"HTTP/1.1 200"), f"{peer.name} refused a connection"
        grown = _settled(running) - before
    click.echo(f"  {peer.name}: {grown:.1f} MB", err=True)
    return grown * 1e6 / CONNECTIONS


def _settled(running: Running) -> float:
    """Memory once what was recorded of the requests has been exported."""
    time.sleep(2.0)  # not readiness: the export of the last spans frees what they took
    return running.rss_mb()
