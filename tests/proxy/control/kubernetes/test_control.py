"""`whymesh control --kubernetes`: one process that follows a cluster, keeps what it said, and serves proxies."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from proxy.control.__main__ import command
from tests.proxy.control.kubernetes.test_source import PODS, SERVICES, SLICES, service, slice_of
from tests.world.kubernetes import Kubernetes, kubeconfig, kubernetes
from tests.world.processes import Process, free_port, get, running, until
from tests.world.proofs import post


class Place:
    """A cluster, and where a control plane that follows it keeps its state."""

    def __init__(self, cluster: Kubernetes, folder: Path) -> None:
        self.cluster, self.folder, self.config = cluster, folder, kubeconfig(folder / "kubeconfig", cluster)
        self.url = f"http://127.0.0.1:{free_port()}"

    @contextlib.contextmanager
    def control(self) -> Iterator[Process]:
        options = ("--kubernetes", "--kubeconfig", str(self.config), "--state", str(self.folder / "state"))
        listen = ("--listen", self.url.removeprefix("http://"))
        with running("proxy.control", *options, *listen, log=self.folder / "control.log") as process:
            yield process

    def services(self) -> dict[str, list[str]]:
        """Instances by service."""
        said = get(f"{self.url}/v1/registry")[1]
        found: list[dict[str, Any]] = json.loads(said)["services"] if said else []
        return {one["metadata"]["name"]: [e["instance"] for e in one["spec"]["endpoints"]] for one in found}

    def cart(self) -> dict[str, Any]:
        """The document in force."""
        found: dict[str, Any] = json.loads(get(f"{self.url}/v1/config/Service/default/cart")[1])
        return found

    def timeout(self) -> str | None:
        return self.cart()["spec"].get("timeout")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with kubernetes() as (cluster, _):
        for path in (SERVICES, SLICES, PODS):
            cluster.has(path)
        cluster.put(SERVICES, service("cart"))
        cluster.put(SLICES, slice_of("cart", "10.1.0.1"))
        yield Place(cluster, tmp_path)


async def test_the_cluster_is_followed_and_who_changed_it_is_told(place: Place) -> None:
    with place.control() as control:
        await asyncio.to_thread(control.ready, f"{place.url}/readyz")
        assert await asyncio.to_thread(place.services) == {"cart": ["cart-0"]}
        place.cluster.put(SLICES, slice_of("cart", "10.1.0.1", "10.1.0.2"))
        await asyncio.to_thread(until, lambda: place.services()["cart"] == ["cart-0", "cart-1"], "another endpoint")
        _, said = await asyncio.to_thread(get, f"{place.url}/v1/history")
        assert json.loads(said)["epochs"][0]["actor"] == "the cluster"


async def test_what_the_cluster_said_holds_while_it_is_away_also_over_a_restart(place: Place) -> None:
    with place.control() as control:
        await asyncio.to_thread(control.ready, f"{place.url}/readyz")
        cart = await asyncio.to_thread(place.cart)
        cart["spec"]["timeout"] = "3s"
        assert (await asyncio.to_thread(post, f"{place.url}/v1/config", {"apply": [cart]}))[0] == 200
    place.cluster.refuses = True
    with place.control() as control:
        await asyncio.to_thread(control.ready, f"{place.url}/readyz")
        assert await asyncio.to_thread(place.services) == {"cart": ["cart-0"]}
        assert await asyncio.to_thread(place.timeout) == "3s"
        place.cluster.put(SERVICES, service("late"))
        place.cluster.refuses = False
        await asyncio.to_thread(until, lambda: "late" in place.services(), "what happened meanwhile")
        assert await asyncio.to_thread(place.timeout) == "3s", "the cluster says of it what it said before"


async def test_nobody_is_told_anything_before_the_first_list(place: Place) -> None:
    place.cluster.refuses = True
    with place.control() as control:
        url = f"{place.url}/readyz"
        await asyncio.to_thread(until, lambda: get(url)[0] == 503, "it to wait")
        place.cluster.refuses = False
        await asyncio.to_thread(control.ready, url)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--kubernetes", "-f", "mesh.yaml"), "name one of them"),
        (("--kubernetes", "--inject", "whymesh:1"), "--inject: takes"),
        (("--kubernetes", "--kubeconfig", __file__), "no cluster to ask"),
    ],
)
def test_options_that_do_not_go_together_are_named(options: tuple[str, ...], why: str) -> None:
    said = CliRunner().invoke(command, [*options, "--listen", "127.0.0.1:0"])
    assert (said.exit_code, why in said.output) == (2, True), said.output
