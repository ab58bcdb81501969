"""The proxies that are compared: ours, Envoy with and without tracing, HAProxy, nginx. One worker each, one core."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.bench import envoy, machine
from tests.bench.environment import Environment, started
from tests.bench.load import PIN as BESIDE
from tests.bench.running import Running
from tests.world import meshes
from tests.world.processes import free_port, get

PROXY_CORE = 0
PIN = ["taskset", "-c", str(PROXY_CORE)]
Start = Callable[[Environment, bool], contextlib.AbstractContextManager[Running]]


@dataclass(frozen=True)
class Peer:
    """A proxy; `start` takes the environment and whether the application behind speaks HTTP/2."""

    name: str
    start: Start


@contextlib.contextmanager
def whymesh(environment: Environment, http2: bool) -> Iterator[Running]:
    """The whole sidecar process, following a real control plane."""
    inbound, outbound, admin = free_port(), free_port(), free_port()
    service = _service("bench", environment.upstream(http2), meshes.sidecar(inbound, outbound, admin), http2)
    with _control(environment, service) as control, _sidecar("bench-1", admin, control, inbound) as pid:
        yield Running((pid,), inbound, lambda: exported(admin))


@contextlib.contextmanager
def whymesh_pair(environment: Environment, http2: bool) -> Iterator[Running]:
    """Two sidecars: out through the caller's, in through the application's."""
    ports = [free_port() for _ in range(6)]
    front, back = ports[:3], ports[3:]
    services = (
        _service("front", environment.backend, meshes.sidecar(*front), http2=False),
        _service("back", environment.upstream(http2), meshes.sidecar(*back), http2),
    )
    with (
        _control(environment, *services) as control,
        _sidecar("front-1", front[2], control, front[0]) as caller,
        _sidecar("back-1", back[2], control, back[0]) as called,
    ):
        sent = lambda: sum(exported(admin) or 0 for admin in (front[2], back[2]))  # noqa: E731
        yield Running((caller, called), front[1], sent, host="back")


def _service(name: str, app: int, sidecar: dict[str, str], http2: bool) -> dict[str, object]:
    spec = {"protocol": "http2"} if http2 else {}
    return meshes.service(name, meshes.endpoint(f"{name}-1", app, sidecar=sidecar), **spec)


@contextlib.contextmanager
def _control(environment: Environment, *services: dict[str, object]) -> Iterator[int]:
    """A control plane beside the load, and its port."""
    port = free_port()
    telemetry = {"endpoint": f"http://127.0.0.1:{environment.sink}/v1/traces"}
    path = meshes.write(environment.folder / "mesh.yaml", meshes.mesh("bench", telemetry=telemetry), *services)
    command = [*BESIDE, sys.executable, "-m", "proxy.control", "-f", str(path), "--listen", f"127.0.0.1:{port}"]
    with started(command, port):
        yield port


@contextlib.contextmanager
def _sidecar(instance: str, admin: int, control: int, inbound: int) -> Iterator[int]:
    command = [*PIN, sys.executable, "-m", "proxy", "--instance", instance, "--admin", f"127.0.0.1:{admin}"]
    with started([*command, "--control", f"http://127.0.0.1:{control}"], inbound) as process:
        yield process.pid


def exported(admin: int) -> int:
    """Spans that the sidecar at this admin port has sent."""
    return int(json.loads(get(f"http://127.0.0.1:{admin}/stats")[1])["records"]["exported"])


def _envoy(traced: bool) -> Start:
    @contextlib.contextmanager
    def start(environment: Environment, http2: bool) -> Iterator[Running]:
        with _one_envoy(environment, environment.upstream(http2), http2, traced) as running:
            yield running

    return start


@contextlib.contextmanager
def envoy_pair(environment: Environment, http2: bool) -> Iterator[Running]:
    """Two Envoys that trace, one in front of the other."""
    with (
        _one_envoy(environment, environment.upstream(http2), http2, traced=True) as called,
        _one_envoy(environment, called.port, http2, traced=True) as caller,
    ):
        yield Running((*caller.roots, *called.roots), caller.port)


@contextlib.contextmanager
def _one_envoy(environment: Environment, upstream: int, http2: bool, traced: bool) -> Iterator[Running]:
    port, admin = free_port(), free_port()
    path = environment.folder / f"envoy-{port}.json"
    sink = environment.sink if traced else None
    path.write_text(json.dumps(envoy.config(port=port, admin=admin, upstream=upstream, http2=http2, sink=sink)))
    flags = ["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]

    def spans() -> int | None:
        _, text = get(f"http://127.0.0.1:{admin}/stats?filter=tracing.opentelemetry.spans_sent")
        found = re.search(r"spans_sent: (\d+)", text)
        return int(found[1]) if found else None

    with started([*PIN, machine.ENVOY, *flags, "-c", str(path)], port) as process:
        yield Running((process.pid,), port, spans if traced else (lambda: None))


def _configured(config: str, command: list[str]) -> Start:
    @contextlib.contextmanager
    def start(environment: Environment, http2: bool) -> Iterator[Running]:
        port = free_port()
        proto = "proto h2" if http2 else ""
        path = environment.written(config, PORT=port, UPSTREAM=environment.upstream(http2), PROTO=proto)
        with started([*PIN, *command, str(path)], port) as process:
            yield Running((process.pid,), port)

    return start


OURS = Peer("whymesh, every request a span", whymesh)
ENVOY_TRACED = Peer("Envoy, every request a span", _envoy(traced=True))
ENVOY = Peer("Envoy, no tracing", _envoy(traced=False))
HAPROXY = Peer("HAProxy, no tracing", _configured("haproxy.cfg", [machine.HAPROXY, "-db", "-f"]))
NGINX_PROXY = Peer("nginx, no tracing", _configured("nginx.conf", [machine.NGINX, "-c"]))
"""nginx speaks HTTP/1 to what is behind it."""
