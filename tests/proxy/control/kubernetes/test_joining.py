"""Pods join with the token of their service account, which the cluster reviews."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.world import meshes
from tests.world.kubernetes import Kubernetes, kubeconfig, kubernetes
from tests.world.processes import free_port, running
from tests.world.proofs import Applicant

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
POD = "authentication.kubernetes.io/pod-name"


@dataclass
class Place:
    """A control plane that has a cluster review tokens."""

    cluster: Kubernetes
    url: str
    audit: Path

    def review(self, account: str = "system:serviceaccount:default:card", pod: str = "card-1", **more: Any) -> None:
        """What the cluster says of the token from now on."""
        extra = {POD: [pod]} if pod else {}
        user = {"username": account, "extra": extra}
        self.cluster.reviews[JWT] = {"authenticated": True, "user": user, "audiences": ["whymesh"], **more}

    async def join(self, proxy: str, service: str) -> tuple[int, Any]:
        one = Applicant(proxy, service)
        return await asyncio.to_thread(one.ask, self.url, one.joining(JWT))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    services = [
        meshes.service(name, meshes.endpoint(f"{name}-1", 18_001, sidecar=meshes.sidecar(*ports)))
        for name, ports in (("card", (1, 2, 3)), ("cart", (4, 5, 6)))
    ]
    edge = {**meshes.gateway("edge", meshes.listener("web", 8080)), "metadata": {"name": "edge"}}
    path = meshes.write(tmp_path / "mesh.yaml", meshes.mesh(authority={}), *services, edge)
    async with kubernetes() as (cluster, _):
        url = f"http://127.0.0.1:{free_port()}"
        options = ("-f", str(path), "--listen", url.removeprefix("http://"), "--state", str(tmp_path / "state"))
        options += ("--review-tokens", "--kubeconfig", str(kubeconfig(tmp_path / "kubeconfig", cluster)))
        with running("proxy.control", *options, log=tmp_path / "control.log") as process:
            await asyncio.to_thread(process.ready, f"{url}/readyz")
            yield Place(cluster, url, tmp_path / "state/authority/audit.log")


async def test_a_pod_joins_as_its_own_proxy_and_a_gateway_by_its_account(place: Place) -> None:
    place.review()
    status, grant = await place.join("card-1", "card")
    assert (status, len(grant["chain"])) == (200, 2)
    assert "the service account default/card of the pod card-1" in place.audit.read_text()
    place.review("system:serviceaccount:default:edge", "edge-7f9c-x2")
    assert (await place.join("edge", "edge"))[0] == 200


REFUSALS: dict[str, tuple[str, dict[str, Any]]] = {
    "another pod": ("account_other", {"pod": "cart-1"}),
    "another namespace": ("account_other", {"account": "system:serviceaccount:shop:card"}),
    "another audience": ("account_refused", {"audiences": ["api"]}),
    "refused": ("account_refused", {"authenticated": False}),
    "bound to no pod": ("account_unbound", {"pod": ""}),
    "a person": ("account_unbound", {"account": "ada"}),
}


@pytest.mark.parametrize("whose", REFUSALS)
async def test_any_other_token_is_refused_by_its_fault(place: Place, whose: str) -> None:
    code, said = REFUSALS[whose]
    place.review(**said)
    status, answer = await place.join("card-1", "card")
    assert (status, answer["code"]) == (403, code)
    assert code in place.audit.read_text()


async def test_a_cluster_that_is_away_lets_nobody_in(place: Place) -> None:
    place.cluster.reviews.clear()
    place.cluster.away = True
    status, answer = await place.join("card-1", "card")
    assert (status, answer["code"]) == (403, "account_unknown")
