"""A control plane as a process, and what its callers see of it."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.world import meshes
from tests.world.processes import Process, free_port, get, running


class Mesh:
    """A control plane on a file of two services, `front` with a sidecar and `cart`, without instances unless given."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.side = [free_port() for _ in range(3)]
        self.url = f"http://127.0.0.1:{self.port}"
        self.write()

    def write(self, *more: dict[str, Any]) -> None:
        front = meshes.service("front", meshes.endpoint("front-1", sidecar=meshes.sidecar(*self.side)))
        quiet = meshes.mesh(telemetry={"enabled": False})
        meshes.write(
            self.folder / "mesh.yaml", quiet, front, *([] if _has_cart(more) else [meshes.service("cart")]), *more
        )

    @contextlib.contextmanager
    def control(self, *options: str) -> Iterator[Process]:
        arguments = ("-f", str(self.folder / "mesh.yaml"), "--state", str(self.folder / "state"))
        listen = ("--listen", f"127.0.0.1:{self.port}")
        with running("proxy.control", *arguments, *listen, *options, log=self.folder / "control.log") as process:
            process.ready(f"{self.url}/readyz")
            yield process

    def ask(self, method: str, path: str, said: Any = None, **headers: str) -> tuple[int, Any]:
        body = None if said is None else said if isinstance(said, bytes) else json.dumps(said).encode()
        request = urllib.request.Request(
            self.url + path, body, {"Content-Type": "application/json", **headers}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or "null")

    def registered(self) -> list[str]:
        return [one["instance"] for one in json.loads(get(f"{self.url}/v1/instances")[1])["instances"]]

    def called(self) -> list[str]:
        """Instances of cart as the proxy of front is told of them."""
        with urllib.request.urlopen(f"{self.url}/v1/snapshots/front-1", timeout=10) as stream:
            services = json.loads(stream.readline())["workloads"][0]["services"]
        return [e["instance"] for service in services if service["name"] == "cart" for e in service["endpoints"]]

    def epoch(self) -> int:
        epoch: int = json.loads(get(f"{self.url}/v1/status")[1])["epoch"]
        return epoch


def _has_cart(documents: tuple[dict[str, Any], ...]) -> bool:
    return any(document["metadata"]["name"] == "cart" for document in documents)
