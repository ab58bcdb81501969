"""A change goes to the proxies that it concerns, however many follow (`tests.bench --only control` measures it)."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.world import meshes
from tests.world.followers import Followers, following
from tests.world.processes import Process, free_port, running, until
from tests.world.wide import Wide

WIDE = Wide(services=20, instances=3, calls=3)


class Plane:
    """A control plane of twenty proxies, all of which follow it."""

    def __init__(self, url: str, process: Process, followers: Followers) -> None:
        self.url, self.process, self.followers = url, process, followers

    def put(self, document: dict[str, Any]) -> Any:
        path = f"/v1/config/{document['kind']}/default/{document['metadata']['name']}"
        headers = {"Content-Type": "application/json"}
        sent = urllib.request.Request(self.url + path, json.dumps(document).encode(), headers, method="PUT")
        with urllib.request.urlopen(sent, timeout=10) as answer:
            return json.loads(answer.read())

    def told(self, epoch: int, count: int) -> set[str]:
        """Who was sent this epoch, once so many serve it."""
        until(lambda: self.followers.acknowledged(epoch) >= count, f"{count} proxies to serve epoch {epoch}")
        return {one.proxy for one in self.followers.heard(epoch)}


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    path = meshes.write(tmp_path / "mesh.yaml", *WIDE.documents())
    with running("proxy.control", "-f", str(path), "--listen", f"127.0.0.1:{port}", log=tmp_path / "log") as process:
        process.ready(f"{url}/readyz")
        with following(url, WIDE.proxies, process.terminate) as followers:
            until(lambda: followers.acknowledged(1) == WIDE.services, "every proxy to serve the first epoch")
            yield Plane(url, process, followers)


def test_a_change_reaches_those_it_concerns_and_nobody_else(plane: Plane) -> None:
    joined = plane.put(WIDE.service(7, more=1))
    assert plane.told(joined["epoch"], 3) == set(WIDE.callers(7)) == set(joined["proxies"])
    everybody = plane.put(WIDE.mesh(outbound={"outside": "deny"}))
    assert plane.told(everybody["epoch"], WIDE.services) == set(WIDE.proxies)
    assert {one.proxy for one in plane.followers.heard(joined["epoch"])} == set(WIDE.callers(7)), "nor later"
    assert plane.process.terminate() == 0, "also with streams open"
