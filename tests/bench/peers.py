"""The proxies that are compared: ours, Envoy with and without tracing, HAProxy, nginx. One worker each, one core."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.environment import NGINX, Environment, started
from tests.bench.measure import rss_mb, tree
from tests.world import meshes
from tests.world.processes import free_port, get

PROXY_CORE = 0
QUIET_S = 5.0
_PIN = ["taskset", "-c", str(PROXY_CORE)]
_CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class Running:
    """A proxy that answers on `port`; `spans` counts the spans it has exported, None when it traces nothing."""

    pid: int
    port: int
    spans: Callable[[], int | None] = lambda: None

    def pids(self) -> list[int]:
        return tree(self.pid)

    def rss(self) -> float:
        return rss_mb(self.pids())

    def spans_a_request(self, requests: int) -> float | None:
        """Spans exported for each of `requests`, once there is one for each or no more come; None without tracing."""
        if self.spans() is None:
            return None
        seen, still_since = -1, time.monotonic()
        while seen < requests and time.monotonic() - still_since < QUIET_S:
            now = self.spans() or 0
            if now != seen:
                seen, still_since = now, time.monotonic()
            time.sleep(0.05)
        return seen / requests


@dataclass(frozen=True)
class Peer:
    name: str
    start: Callable[[Environment], contextlib.AbstractContextManager[Running]]


@contextlib.contextmanager
def _whymesh(environment: Environment) -> Iterator[Running]:
    """The whole sidecar process, following a real control plane."""
    inbound, outbound, admin, control = (free_port() for _ in range(4))
    path = meshes.write(
        environment.folder / "mesh.yaml",
        meshes.mesh("bench", telemetry={"endpoint": f"http://127.0.0.1:{environment.sink}/v1/traces"}),
        meshes.service(
            "bench", meshes.endpoint("bench-1", environment.backend, sidecar=meshes.sidecar(inbound, outbound, admin))
        ),
    )
    brain = [sys.executable, "-m", "proxy.control", "-f", str(path), "--listen", f"127.0.0.1:{control}"]
    sidecar = [*_PIN, sys.executable, "-m", "proxy", "--instance", "bench-1", "--admin", f"127.0.0.1:{admin}"]

    def spans() -> int:
        return int(json.loads(get(f"http://127.0.0.1:{admin}/stats")[1])["records"]["exported"])

    with (
        started(["taskset", "-c", "1", *brain], control),
        started([*sidecar, "--control", f"http://127.0.0.1:{control}"], inbound) as process,
    ):
        yield Running(process.pid, inbound, spans)


def _envoy(traced: bool) -> Callable[[Environment], contextlib.AbstractContextManager[Running]]:
    @contextlib.contextmanager
    def start(environment: Environment) -> Iterator[Running]:
        port, admin = free_port(), free_port()
        path = _written(environment, "envoy-traced.yaml" if traced else "envoy.yaml", port=port, admin=admin)
        binary = Path(sys.executable).with_name("envoy")
        command = [
            *_PIN,
            str(binary),
            "--concurrency",
            "1",
            "-c",
            str(path),
            "--log-level",
            "error",
            "--disable-hot-restart",
        ]

        def spans() -> int | None:
            _, text = get(f"http://127.0.0.1:{admin}/stats?filter=tracing.opentelemetry.spans_sent")
            found = re.search(r"spans_sent: (\d+)", text)
            return int(found[1]) if found else None

        with started(command, port) as process:
            yield Running(process.pid, port, spans if traced else (lambda: None))

    return start


def _configured(config: str, command: list[str]) -> Callable[[Environment], contextlib.AbstractContextManager[Running]]:
    @contextlib.contextmanager
    def start(environment: Environment) -> Iterator[Running]:
        port = free_port()
        path = _written(environment, config, port=port, admin=0)
        with started([*_PIN, *command, str(path)], port) as process:
            yield Running(process.pid, port)

    return start


def _written(environment: Environment, config: str, port: int, admin: int) -> Path:
    text = (_CONFIGS / config).read_text()
    values = {"PORT": port, "ADMIN": admin, "BACKEND": environment.backend, "SINK": environment.sink}
    for name, value in {**values, "FOLDER": environment.folder}.items():
        text = text.replace(f"@{name}@", str(value))
    path = environment.folder / config
    path.write_text(text)
    return path


PEERS = (
    Peer("whymesh, every request a span", _whymesh),
    Peer("Envoy, every request a span", _envoy(traced=True)),
    Peer("Envoy, no tracing", _envoy(traced=False)),
    Peer("HAProxy, no tracing", _configured("haproxy.cfg", ["/usr/sbin/haproxy", "-db", "-f"])),
    Peer("nginx, no tracing", _configured("nginx.conf", [NGINX, "-c"])),
)
