"""A cluster followed, through broken watches and forgotten versions, as documents that are always a mesh."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from kubernetes_asyncio.client import ApiClient

from proxy.control.configuration import assembled
from proxy.control.documents import EndpointSpec, Service
from proxy.control.kubernetes.source import OWN, Cluster
from proxy.control.registry import Registry, register
from tests.world import meshes
from tests.world.kubernetes import Kubernetes, kubernetes
from tests.world.processes import PATIENCE_S

SERVICES, SLICES, PODS = "/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices", "/api/v1/pods"
ROUTES = "/apis/gateway.networking.k8s.io/v1/httproutes"
POLICIES = "/apis/whymesh.io/v1alpha1/trafficpolicies"


def service(
    name: str, namespace: str = "default", created: str = "2026-01-01T00:00:00Z", **spec: Any
) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": created, "uid": "x", "managedFields": []}
    return {"metadata": metadata, "spec": {"clusterIPs": ["None"], "ports": ports, **spec}, "status": {}}


def slice_of(name: str, *addresses: str, namespace: str = "default", **more: Any) -> dict[str, Any]:
    """Endpoints whose Pods are called after the service and their number."""
    endpoints = [
        {
            "addresses": [address],
            "conditions": {"ready": True},
            "targetRef": {"kind": "Pod", "name": f"{name}-{number}"},
            **more,
        }
        for number, address in enumerate(addresses)
    ]
    metadata = {"name": f"{name}-abc", "namespace": namespace, "labels": {"kubernetes.io/service-name": name}}
    ports = [{"name": "http", "port": 8080}]
    return {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints, "ports": ports}


def pod(name: str, namespace: str = "default", annotations: dict[str, str] | None = None, **labels: str) -> Any:
    metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"containers": []}}


async def until(met: Callable[[], bool], what: str) -> None:
    """Lets the event loop run until a condition holds; fails the test saying what never came."""
    deadline = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:.0f} s for {what}"
        await asyncio.sleep(0.02)


class Following:
    """A cluster that is followed; `taken` counts how often it was different."""

    def __init__(self, server: Kubernetes, api: ApiClient) -> None:
        self.server, self.api, self.taken = server, api, 0
        self.cluster = Cluster(self.connect)

    async def connect(self) -> ApiClient:
        return self.api

    async def take(self) -> None:
        self.taken += 1

    def registry(self) -> Registry | None:
        documents = self.cluster.read()
        return None if documents is None else register(assembled(documents, "the cluster"))

    def service(self, name: str) -> Service | None:
        made = self.registry()
        return next((one for one in made.services if one.full_name == name), None) if made else None

    def endpoints(self, name: str) -> dict[str, EndpointSpec]:
        found = self.service(name)
        return {one.instance: one for one in found.spec.endpoints} if found else {}


@contextlib.asynccontextmanager
async def following() -> AsyncIterator[Following]:
    async with kubernetes() as (server, api):
        for path in (SERVICES, SLICES, PODS):
            server.has(path)
        server.put(SERVICES, service("cart"))
        server.put(SLICES, slice_of("cart", "10.1.0.1"))
        made = Following(server, api)
        task = asyncio.create_task(made.cluster.run(made.take))
        await until(lambda: bool(made.endpoints("cart")), "the first list")
        yield made
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_what_changes_in_the_cluster_changes_in_the_mesh() -> None:
    async with following() as mesh:
        assert mesh.endpoints("cart")["cart-0"].app == "10.1.0.1:8080"
        for number in range(5):
            mesh.server.put(SERVICES, service(f"more-{number}", clusterIPs=[f"10.96.0.{number}"]))
        mesh.server.put(SLICES, slice_of("cart", "10.1.0.1", "10.1.0.2"))
        await until(lambda: len(mesh.endpoints("cart")) == 2, "another endpoint")
        found = mesh.service("more-4")
        assert found
        assert (found.spec.addresses, found.spec.protocol) == (("10.96.0.4:80",), "http1")
        mesh.server.delete(SERVICES, "default", "more-4")
        await until(lambda: mesh.service("more-4") is None, "a service to be gone")


async def test_a_broken_watch_goes_on_where_it_was() -> None:
    async with following() as mesh:
        await until(lambda: mesh.server.asked[f"watch {SLICES}"] == 1, "a watch")
        for round_ in (2, 3):
            mesh.server.hang_up()
            mesh.server.put(SLICES, slice_of("cart", *(f"10.1.0.{n}" for n in range(round_))))
            await until(lambda round_=round_: len(mesh.endpoints("cart")) == round_, "what was missed")  # type: ignore[misc]
        assert mesh.server.asked[f"list {SLICES}"] == 1


@pytest.mark.parametrize("how", ["status", "event"])
async def test_what_the_server_has_forgotten_is_listed_anew(how: str) -> None:
    async with following() as mesh:
        await until(lambda: mesh.server.asked[f"watch {SERVICES}"] == 1, "a watch")
        if how == "event":
            mesh.server.fail_watches(410)
        else:
            mesh.server.hang_up()
            mesh.server.put(SERVICES, service("pay"))
            del mesh.server.collections[SERVICES]["default", "pay"]
            mesh.server.forget()
        mesh.server.collections[SERVICES]["default", "late"] = service("late")
        await until(lambda: mesh.service("late") is not None, "the new list")
        assert mesh.service("pay") is None
        mesh.server.put(SERVICES, service("later"))
        await until(lambda: mesh.service("later") is not None, "a watch from there on")


async def test_bookmarks_keep_a_quiet_watch_young() -> None:
    async with following() as mesh:
        await until(lambda: mesh.server.asked[f"watch {PODS}"] == 1, "a watch")
        mesh.server.put(SERVICES, service("pay"))
        mesh.server.bookmark(PODS)
        mesh.server.put(SERVICES, service("late"))
        await until(lambda: mesh.service("late") is not None, "events after the bookmark")
        mesh.server._oldest = mesh.server._version - 1
        mesh.server.hang_up()
        await until(lambda: mesh.server.asked[f"watch {PODS}"] == 2, "another watch")
        assert mesh.server.asked[f"list {PODS}"] == 1, "the version of the bookmark was young enough"


async def test_a_pod_says_version_and_sidecar() -> None:
    async with following() as mesh:
        labels = {"app.kubernetes.io/version": "v7", "whymesh.io/sidecar": "true"}
        mesh.server.put(PODS, pod("cart-0", annotations={"whymesh.io/inbound-port": "15106"}, **labels))
        mesh.server.put(SLICES, slice_of("cart", "10.1.0.1", zone="a"))
        await until(lambda: mesh.endpoints("cart")["cart-0"].sidecar is not None, "the sidecar")
        found = mesh.endpoints("cart")["cart-0"]
        assert (found.version, found.zone, found.host) == ("v7", "a", "cart-0")
        assert found.sidecar
        assert (found.sidecar.inbound, found.sidecar.outbound) == ("10.1.0.1:15106", "127.0.0.1:15001")
        made = mesh.registry()
        assert made
        assert [proxy.name for proxy in made.proxies] == ["cart-0"]


async def test_only_ready_endpoints_of_the_port_that_is_meant() -> None:
    async with following() as mesh:
        ports = [{"name": "metrics", "port": 9090}, {"name": "grpc-api", "port": 50051}]
        api = service("api", namespace="team", clusterIPs=["10.96.1.1", "fd00::1"], ports=ports)
        api["metadata"]["annotations"] = {"whymesh.io/port": "grpc-api"}
        mesh.server.put(SERVICES, api)
        made = slice_of("api", "10.1.1.1", "10.1.1.2", namespace="team")
        made["ports"] = [{"name": "grpc-api", "port": 5000}, {"name": "metrics", "port": 9090}]
        made["endpoints"][1]["conditions"] = {"ready": False, "serving": True}
        mesh.server.put(SLICES, made)
        await until(lambda: bool(mesh.endpoints("api.team")), "the service of another namespace")
        found = mesh.service("api.team")
        assert found
        assert {one.instance: one.app for one in found.spec.endpoints} == {"api-0.team": "10.1.1.1:5000"}
        assert (found.spec.protocol, found.spec.addresses) == ("http2", ("10.96.1.1:50051", "[fd00::1]:50051"))


async def test_a_pod_behind_two_services_is_an_instance_of_each() -> None:
    async with following() as mesh:
        mesh.server.put(SERVICES, service("cart-headless", created="2026-02-01T00:00:00Z"))
        headless = slice_of("cart-headless", "10.1.0.1")
        headless["endpoints"][0]["targetRef"]["name"] = "cart-0"
        mesh.server.put(SLICES, headless)
        await until(lambda: bool(mesh.endpoints("cart-headless")), "the younger service")
        assert list(mesh.endpoints("cart")) == ["cart-0"]
        assert list(mesh.endpoints("cart-headless")) == ["cart-headless.cart-0"]


async def test_kinds_that_come_later_are_found_and_one_mistake_keeps_nobody_else_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("proxy.control.kubernetes.follow._ABSENT_S", 0.05)
    async with following() as mesh:
        for path in (ROUTES, POLICIES):
            mesh.server.has(path)
        route = meshes.route("canary", "cart", {"backendRefs": [{"name": "cart"}]})
        elsewhere = meshes.route("elsewhere", "nobody", {"backendRefs": [{"name": "nobody"}]})
        others = meshes.route("others", "cart", {})
        others["spec"]["parentRefs"] = [{"name": "a-gateway-of-somebody"}]
        for one in (route, elsewhere, others):
            one["metadata"] |= {"namespace": "default", "uid": "y"}
            mesh.server.put(ROUTES, one | {"status": {"parents": []}})
        policy = meshes.policy("cart", timeout="fast")
        policy["metadata"]["namespace"] = "default"
        mesh.server.put(POLICIES, policy)

        def names() -> set[str]:
            made = mesh.registry()
            return {one.full_name for one in made.documents} if made else set()

        await until(lambda: names() == {"cart", "canary"}, "the route that can be")
        await until(lambda: "left out: TrafficPolicy default/cart" in caplog.text, "the mistakes to be named")
        assert "left out: HTTPRoute default/elsewhere" in caplog.text
        assert "a-gateway-of-somebody" not in caplog.text, "the route of another controller is not ours to judge"
        mesh.server.put(SLICES, slice_of("cart", "10.1.0.9"))
        await until(lambda: mesh.endpoints("cart")["cart-0"].app == "10.1.0.9:8080", "endpoints beside mistakes")


async def test_nothing_is_known_of_a_cluster_that_says_no(caplog: pytest.LogCaptureFixture) -> None:
    async with kubernetes() as (server, api):
        for each in (SERVICES, SLICES):
            server.has(each)
        api.configuration.api_key["BearerToken"] = "Bearer of an earlier day"
        mesh = Following(server, api)
        task = asyncio.create_task(mesh.cluster.run(mesh.take))
        await until(lambda: "is the token still valid?" in caplog.text, "the refusal")
        assert (mesh.cluster.read(), mesh.taken) == (None, 0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_proxy_is_told_what_to_do_before_its_pod_is_ready_and_is_called_after() -> None:
    async with following() as mesh:
        mesh.server.put(PODS, pod("cart-0", **{"whymesh.io/sidecar": "true"}))
        starting = slice_of("cart", "10.1.0.1", "10.1.0.2")
        for endpoint in starting["endpoints"]:
            endpoint["conditions"] = {"ready": False}
        mesh.server.put(SLICES, starting)

        def proxies() -> list[str]:
            made = mesh.registry()
            return [proxy.name for proxy in made.proxies] if made else []

        await until(lambda: proxies() == ["cart-0"], "the proxy of the Pod that starts")
        assert {name: one.ready for name, one in mesh.endpoints("cart").items()} == {"cart-0": False}
        mesh.server.put(SLICES, slice_of("cart", "10.1.0.1"))
        await until(lambda: mesh.endpoints("cart")["cart-0"].ready, "it to be called")


async def test_a_pod_with_a_proxy_that_no_service_selects_calls_and_is_not_called() -> None:
    async with following() as mesh:
        loner = pod("worker-7", app="worker", **{"whymesh.io/sidecar": "true"})
        mesh.server.put(PODS, {**loner, "status": {"phase": "Pending"}})
        mesh.server.put(PODS, {**loner, "status": {"phase": "Running", "podIP": "10.1.0.7"}})
        await until(lambda: bool(mesh.endpoints("worker")), "a service of its own")
        assert not mesh.endpoints("worker")["worker-7"].ready
        mesh.server.put(SERVICES, service("jobs", selector={"app": "worker"}))
        await until(lambda: mesh.service("worker") is None, "it to be that of its Service")
        mesh.server.delete(SERVICES, "default", "jobs")
        await until(lambda: bool(mesh.endpoints("worker")), "a service of its own again")
        mesh.server.put(PODS, {**loner, "status": {"phase": "Succeeded", "podIP": "10.1.0.7"}})
        await until(lambda: mesh.service("worker") is None, "it to be gone with its end")


def test_every_kind_of_ours_has_a_plural() -> None:
    assert OWN["Mesh"] == "meshes"
    assert OWN["TrafficPolicy"] == "trafficpolicies"
    assert OWN["Telemetry"] == "telemetries"
    assert OWN["FaultInjection"] == "faultinjections"
    assert "HTTPRoute" not in OWN
