"""Two control planes over one state: one leads, the other serves what it puts in force, and takes over."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.proxy.control.api.test_config import CART, FRONT
from tests.world import meshes
from tests.world.processes import free_port, get, running, until


def _put(url: str, document: dict[str, Any]) -> str:
    """Asks for a change, where it is sent to if need be; returns who answered."""
    body, headers = json.dumps(document).encode(), {"Content-Type": "application/json"}
    where = f"{url}/v1/config/Service/default/{document['metadata']['name']}"
    request = urllib.request.Request(where, body, headers, method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=10):
            return url
    except urllib.error.HTTPError as error:
        with error:
            location: str = error.headers["Location"]
    request = urllib.request.Request(location, body, headers, method="PUT")
    with urllib.request.urlopen(request, timeout=10):
        return location.partition("/v1/")[0]


def test_the_other_serves_and_takes_over_when_the_leader_is_killed(tmp_path: Path) -> None:
    path = meshes.write(tmp_path / "mesh.yaml", FRONT)
    urls = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]

    def start(place: int) -> Any:
        listen = urls[place].removeprefix("http://")
        options = ("-f", str(path), "--listen", listen, "--state", str(tmp_path / "state"))
        return running("proxy.control", *options, log=tmp_path / f"control-{place}.log")

    def epoch(url: str) -> int:
        status = get(f"{url}/v1/status")[1]
        return int(json.loads(status)["epoch"]) if status else 0

    with contextlib.ExitStack() as both:
        leader = both.enter_context(start(0))
        leader.ready(f"{urls[0]}/readyz")
        other = both.enter_context(start(1))
        other.ready(f"{urls[1]}/readyz")
        assert _put(urls[1], CART) == urls[0], "the one that leads"
        until(lambda: epoch(urls[1]) == 2, "the other to serve the epoch")
        leader.kill()
        until(lambda: "leads now" in other.output(), "the other to lead")
        assert _put(urls[1], {**CART, "spec": {**CART["spec"], "timeout": "3s"}}) == urls[1]
        assert epoch(urls[1]) == 3
