"""Which port each process of a one-machine mesh listens on, and whether it can be had.

In: an offset that moves them all. Out: addresses, or one sentence that names the port, who wanted it and who has it.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
HIGHEST = 65_535

DEFAULTS = {
    "control": 7460,
    "dns": 7453,
    "otlp_grpc": 4317,
    "otlp_http": 4318,
    "clickhouse_native": 9000,
    "clickhouse_http": 8123,
    "collector_metrics": 8888,
    "rootcause": 7470,
    "ui": 8501,
}


class PortTaken(Exception):
    """A port that a process of ours needs cannot be listened on; the message says what to do."""


@dataclass(frozen=True)
class Wanted:
    """One address that a process is about to listen on, and the option or file that moves it."""

    address: str
    process: str
    flag: str = "--port-offset"


@dataclass(frozen=True)
class Ports:
    """The ports of the mesh's own processes, all moved by the same offset."""

    offset: int = 0

    def address(self, name: str) -> str:
        """`host:port` of one of DEFAULTS."""
        return f"{LOOPBACK}:{DEFAULTS[name] + self.offset}"

    def url(self, name: str) -> str:
        """`http://host:port` of one of DEFAULTS."""
        return f"http://{self.address(name)}"

    @property
    def store(self) -> str:
        """The ClickHouse URL of readers."""
        return f"clickhouse://{self.address('clickhouse_native')}/otel"

    @property
    def traces(self) -> str:
        """The OTLP/HTTP URL the proxies send their spans to."""
        return f"{self.url('otlp_http')}/v1/traces"


def check_free(wanted: Iterable[Wanted]) -> None:
    """Binds each address for a moment; raises PortTaken for the first that cannot be bound."""
    for want in wanted:
        host, _, port = want.address.rpartition(":")
        if not 0 < int(port) <= HIGHEST:
            raise PortTaken(f"{want.process} would listen on port {port}, which does not exist: lower {want.flag}.")
        try:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host.strip("[]"), int(port)))
                probe.listen(1)
        except OSError as error:
            holder = _holder(int(port))
            raise PortTaken(
                f"Port {port} ({want.address}), wanted by {want.process}, is not available: "
                f"{error.strerror or error}{f' ({holder} listens there)' if holder else ''}. "
                f"Stop what uses it, or choose other ports with {want.flag}."
            ) from error


def _holder(port: int) -> str:
    """Who listens on a port, as far as /proc lets us see: `pid 123 (nginx)`, or nothing."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not inodes:
        return ""
    for fds in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):
            if any(str(fd.readlink()) in inodes for fd in fds.iterdir()):
                return f"pid {fds.parent.name} ({(fds.parent / 'comm').read_text().strip()})"
    return ""


def _listening_inodes(port: int) -> Iterator[str]:
    """Inodes of the listening sockets of a port (proc_net_tcp.txt: state 0A is LISTEN, ports are hexadecimal)."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with contextlib.suppress(OSError):
            for line in table.read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]
