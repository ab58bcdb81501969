"""A front that calls a back, each beside its proxy as a process, and a control plane that is their authority."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from deploy.ca import command as ca
from tests.world import meshes
from tests.world.processes import Process, free_port, get, running


@dataclass
class SecuredMesh:
    """Its files and ports; `app` answers for both."""

    folder: Path
    app: int
    control: int = field(default_factory=free_port)
    front: list[int] = field(default_factory=lambda: [free_port() for _ in range(3)])
    back: list[int] = field(default_factory=lambda: [free_port() for _ in range(3)])
    tls: int = field(default_factory=free_port)
    secret: Path | None = None
    """A file with what seals the keys of the authority."""
    known_by: str = ""
    """By what proxies know the control plane (`--control-root`); without it they come to it in the clear."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.control}"

    def write(self, **mesh: Any) -> None:
        patient = {"connectTimeout": "20s"}  # a machine with much else to do is slow to shake hands
        meshes.write(
            self.folder / "mesh.yaml",
            meshes.mesh(telemetry={"enabled": False}, **mesh),
            meshes.service("front", meshes.endpoint("front-1", self.app, sidecar=meshes.sidecar(*self.front))),
            meshes.service("back", meshes.endpoint("back-1", self.app, sidecar=meshes.sidecar(*self.back)), **patient),
        )

    def start_control(self) -> Any:
        files = ("--state", str(self.folder / "state"), "--node-key", str(self.folder / "node.key"))
        listen = ("-f", str(self.folder / "mesh.yaml"), "--listen", f"127.0.0.1:{self.control}")
        listen += ("--tls", f"127.0.0.1:{self.tls}")
        listen += ("--ca-secret", str(self.secret)) if self.secret else ()
        return running("proxy.control", *listen, *files, log=self.folder / "control.log")

    def start_proxy(self, instance: str, url: str = "") -> Any:
        admin = self.front[2] if instance == "front-1" else self.back[2]
        arguments = ("--instance", instance, "--admin", f"127.0.0.1:{admin}", "--control")
        if self.known_by:
            arguments += (f"https://127.0.0.1:{self.tls}", "--control-root", self.known_by)
        else:
            arguments += (url or self.url,)
        files = ("--state", str(self.folder / "proxies"), "--join", str(self.folder / "node.key"))
        return running("proxy", *arguments, *files, log=self.folder / f"{instance}.log")

    @contextlib.contextmanager
    def started(self) -> Iterator[Process]:
        with self.start_control() as control:
            control.ready(f"{self.url}/readyz")
            with self.start_proxy("front-1") as front, self.start_proxy("back-1") as back:
                front.ready(f"http://127.0.0.1:{self.front[2]}/readyz")
                back.ready(f"http://127.0.0.1:{self.back[2]}/readyz")
                yield control

    def call(self) -> tuple[int, str]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{self.front[1]}"}))
        try:
            with opener.open("http://back/", timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def order(self, *arguments: str) -> None:
        ran = CliRunner().invoke(ca, [*arguments, "--state", str(self.folder / "state")])
        assert ran.exit_code == 0, ran.output

    def authority(self) -> Any:
        return json.loads(get(f"{self.url}/v1/authority")[1])

    def granted(self, admin: int) -> float:
        lines = get(f"http://127.0.0.1:{admin}/metrics")[1].splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith("whymesh_proxy_certificates_total "))
