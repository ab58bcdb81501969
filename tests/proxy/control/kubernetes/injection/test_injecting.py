"""The whole way of a Pod: the API server asks the webhook by the roots it was given, and the proxy it gets joins."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from deploy.ca import command as ca
from proxy.control.kubernetes.injection.containers import PROXY, ROOTS
from tests.proxy.control.kubernetes.test_source import PODS, SERVICES, SLICES, service, slice_of
from tests.world import meshes
from tests.world.json_patch import applied
from tests.world.kubernetes import Kubernetes, kubeconfig, kubernetes
from tests.world.processes import WHYMESH, Program, free_port, gone_after, running, until

MESHES = "/apis/whymesh.io/v1alpha1/meshes"
CONFIGURATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/whymesh"
MANIFEST = Path(__file__).parents[5] / "deploy" / "kubernetes" / "inject.yaml"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
POD = {
    "metadata": {"generateName": "cart-", "labels": {"app": "cart"}},
    "spec": {"containers": [{"name": "cart", "image": "example/cart", "ports": [{"containerPort": 8080}]}]},
}


@dataclass
class Place:
    """A cluster with the manifest applied, and a control plane in it that puts proxies into Pods."""

    cluster: Kubernetes
    folder: Path
    port: int

    def roots(self) -> str:
        """What the API server was told to know the webhook by; empty while it was told nothing."""
        bundles = {one["clientConfig"].get("caBundle", "") for one in self.cluster.single[CONFIGURATION]["webhooks"]}
        return base64.b64decode(bundles.pop()).decode() if len(bundles) == 1 else ""

    def ask(self, request: Any) -> tuple[int, Any]:
        """As an API server does, who checks the name of the server."""
        tls = ssl.create_default_context(cadata=self.roots())
        connection = http.client.HTTPSConnection("localhost", self.port, context=tls, timeout=20)
        said = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        try:
            connection.request("POST", "/v1/inject?timeout=5s", json.dumps(said), {"Content-Type": "application/json"})
            with connection.getresponse() as answer:
                return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def create(self, pod: Any, operation: str = "CREATE") -> Any:
        """The response for a Pod of the namespace `default`."""
        kind = {"group": "", "version": "v1", "kind": "Pod"}
        request = {"uid": "7", "kind": kind, "operation": operation, "namespace": "default", "object": pod}
        status, review = self.ask(request)
        assert status == 200, review
        assert (review["kind"], review["response"]["uid"]) == ("AdmissionReview", "7")
        assert review["response"]["allowed"], "no Pod is ever refused"
        return review["response"]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with kubernetes() as (cluster, _):
        for path in (SERVICES, SLICES, PODS, MESHES):
            cluster.has(path)
        made = meshes.mesh(authority={}, mtls="permissive")
        made["metadata"]["namespace"] = "default"
        cluster.put(MESHES, made)
        cluster.put(SERVICES, service("cart", selector={"app": "cart"}))
        cluster.single[CONFIGURATION] = yaml.safe_load(MANIFEST.read_text())
        port = free_port()
        options = ("--kubernetes", "--kubeconfig", str(kubeconfig(tmp_path / "kubeconfig", cluster)))
        options += ("--listen", f"127.0.0.1:{free_port()}", "--tls", f"127.0.0.1:{port}")
        options += ("--url", f"https://localhost:{port}", "--state", str(tmp_path / "state"))
        options += ("--review-tokens", "--inject", "whymesh:9")
        with running("proxy.control", *options, log=tmp_path / "control.log"):
            place = Place(cluster, tmp_path, port)
            await asyncio.to_thread(until, lambda: "BEGIN CERTIFICATE" in place.roots(), "the roots of the mesh")
            yield place


async def test_a_pod_gets_a_proxy_that_joins_and_serves(place: Place) -> None:
    response = await asyncio.to_thread(place.create, POD)
    assert response["patchType"] == "JSONPatch"
    pod = applied(POD, json.loads(base64.b64decode(response["patch"])))
    assert pod["metadata"]["annotations"][ROOTS] == place.roots()
    assert "patch" not in await asyncio.to_thread(place.create, pod), "twice is once"
    assert "patch" not in await asyncio.to_thread(place.create, POD, "UPDATE")
    (proxy,) = [one for one in pod["spec"]["initContainers"] if one["name"] == PROXY]

    inbound, outbound, admin = free_port(), free_port(), free_port()
    ports = {"inbound-port": str(inbound), "outbound-port": str(outbound), "admin-port": str(admin)}
    pod["metadata"]["annotations"] |= {f"whymesh.io/{name}": port for name, port in ports.items()}
    pod["metadata"] |= {"name": "cart-0", "namespace": "default"}
    place.cluster.put(PODS, {**pod, "status": {"podIP": "127.0.0.1", "phase": "Pending"}})
    starting = slice_of("cart", "127.0.0.1")
    starting["endpoints"][0]["conditions"] = {"ready": False}
    place.cluster.put(SLICES, starting)
    account = {"username": "system:serviceaccount:default:cart"}
    account |= {"extra": {"authentication.kubernetes.io/pod-name": ["cart-0"]}}
    place.cluster.reviews[JWT] = {"authenticated": True, "user": account, "audiences": ["whymesh"]}

    (place.folder / "token").write_text(JWT)
    (place.folder / "roots.pem").write_text(pod["metadata"]["annotations"][ROOTS])
    known = {"$(POD_NAME)": "cart-0", "$(POD_IP):15020": f"127.0.0.1:{admin}", "whymesh": WHYMESH}
    folders = {"/var/run/whymesh": str(place.folder), "/var/lib/whymesh": str(place.folder / "proxy")}
    command = [known.get(word, word) for word in proxy["command"]]
    for mounted, folder in folders.items():
        command = [word.replace(mounted, folder) for word in command]
    with gone_after(Program(command[0], *command[1:], log=place.folder / "proxy.log")) as process:
        await asyncio.to_thread(process.ready, f"http://127.0.0.1:{admin}/readyz")


async def test_other_roots_are_told_to_the_api_server(place: Place) -> None:
    before = place.roots()
    order = ["rotate", "root", "--state", str(place.folder / "state")]
    assert (await asyncio.to_thread(CliRunner().invoke, ca, order)).exit_code == 0
    await asyncio.to_thread(until, lambda: place.roots() not in ("", before), "the next root")
    assert (await asyncio.to_thread(place.create, POD))["patch"]


async def test_what_is_no_review_is_told_so(place: Place) -> None:
    for request in (None, {}, {"uid": "7", "object": []}, {"uid": "7", "kind": {}, "namespace": "a", "object": POD}):
        status, said = await asyncio.to_thread(place.ask, request)
        assert (status, "expected an AdmissionReview" in said["error"]) == (400, True)
    host = {**POD, "spec": {**POD["spec"], "hostNetwork": True}}
    response = await asyncio.to_thread(place.create, host)
    assert "patch" not in response
    assert "hostNetwork" in response["warnings"][0]
