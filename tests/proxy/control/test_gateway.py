"""Gateways and the routes that name them, compiled into what a gateway's proxy serves; and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.control.compile import compile_snapshot
from proxy.control.epochs.changes import changes_between
from proxy.control.errors import ConfigRefused
from proxy.control.hostnames import Hostname, common, covers, rank
from proxy.control.reading.read import load
from proxy.control.registry import Registry, register
from proxy.snapshot import Door, Origination, Workload
from tests.world import meshes

CART = meshes.service("cart", meshes.endpoint("cart-1", 18_001))
CARD = meshes.service("card", meshes.endpoint("card-1", 18_002))


FILES = {"certificate": "/etc/shop/tls.crt", "key": "/etc/shop/tls.key"}
ENCRYPTED = meshes.listener("a", 8_443) | {"protocol": "HTTPS", "tls": FILES}


def registry(tmp_path: Path, *documents: dict[str, Any]) -> Registry:
    return register(load(meshes.write(tmp_path / "mesh.yaml", CART, CARD, *documents)))


def compiled(tmp_path: Path, *documents: dict[str, Any]) -> Workload:
    return compile_snapshot(registry(tmp_path, *documents), "edge", 1).workloads[0]


def doors(workload: Workload) -> tuple[Door, ...]:
    assert workload.gateway
    return workload.gateway.doors


def hosts(door: Door) -> dict[str | None, list[str]]:
    """The names of each host's routes, in order."""
    return {host.host: [route.name for route in host.routes] for host in door.hosts}


def to(*names: str, **more: Any) -> dict[str, Any]:
    return {"backendRefs": meshes.backends(*names), **more}


def exact(path: str) -> dict[str, Any]:
    return {"matches": [{"path": {"type": "Exact", "value": path}}]}


def attached(name: str, *rules: dict[str, Any], section: str | None = None, **more: Any) -> dict[str, Any]:
    ref = {"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "edge"}
    return meshes.route(name, "edge", *rules, parentRefs=[ref | ({"sectionName": section} if section else {})], **more)


def test_each_listener_that_encrypts_has_its_files_at_the_door(tmp_path: Path) -> None:
    own = ENCRYPTED | {"name": "b", "hostname": "*.example.com", "tls": FILES | {"key": "/b.key"}}
    made = compiled(
        tmp_path, meshes.gateway("edge", ENCRYPTED, own, meshes.listener("c", 8_080)), attached("r", to("cart"))
    )
    plain, encrypted = sorted(doors(made), key=lambda door: door.listen)
    assert plain.certificates == ()
    assert [one.model_dump() for one in encrypted.certificates] == [
        {"host": None, **FILES},
        {"host": "*.example.com", "certificate": FILES["certificate"], "key": "/b.key"},
    ]


def test_a_gateway_is_a_workload_that_knows_what_its_routes_lead_to(tmp_path: Path) -> None:
    made = compiled(
        tmp_path,
        meshes.gateway("edge", meshes.listener("web", 8_080), zone="a", trace="Continue", trustedHops=2),
        attached("r", to("cart", name="all")),
        meshes.route("own", "cart", {"filters": [{"type": "DirectResponse", "directResponse": {"status": 200}}]}),
    )
    assert (made.node.service, made.node.instance, made.node.zone) == ("edge", "edge", "a")
    assert (made.inbound, made.outbound) == (None, None)
    assert made.gateway
    assert (made.gateway.trace, made.gateway.trusted_hops) == ("continue", 2)
    (door,) = doors(made)
    assert (door.listen, hosts(door)) == ("127.0.0.1:8080", {None: ["r/all"]})
    (cart,) = made.services
    assert cart.name == "cart", "card is led to by no route"
    assert cart.routes is None, "those of its own are for callers in the mesh"


def test_listeners_of_a_port_share_its_addresses(tmp_path: Path) -> None:
    made = compiled(
        tmp_path,
        meshes.gateway(
            "edge",
            meshes.listener("a", 80, "a.example.com"),
            meshes.listener("b", 80, "b.example.com"),
            meshes.listener("c", 81),
            addresses=[{"value": "127.0.0.1"}, {"value": "::1"}],
        ),
        attached("r", to("cart")),
        attached("only-b", to("card"), section="b"),
    )
    assert {door.listen: hosts(door) for door in doors(made)} == {
        at: {"a.example.com": ["r/0"], "b.example.com": ["only-b/0", "r/0"]} if at.endswith(":80") else {None: ["r/0"]}
        for at in ("127.0.0.1:80", "127.0.0.1:81", "[::1]:80", "[::1]:81")
    }


def test_the_more_specific_hostname_counts_before_the_more_specific_path(tmp_path: Path) -> None:
    made = compiled(
        tmp_path,
        meshes.gateway("edge", meshes.listener("web", 80)),
        attached("any", to("cart") | exact("/a")),
        attached("domain", to("cart") | exact("/a"), hostnames=["*.example.com"]),
        attached("host", to("card"), hostnames=["shop.example.com", "other.org"]),
        attached("longer", to("card"), hostnames=["*.eu.example.com"]),
    )
    (door,) = doors(made)
    assert hosts(door) == {
        "shop.example.com": ["host/0", "domain/0", "any/0"],
        "other.org": ["host/0", "any/0"],
        "*.eu.example.com": ["longer/0", "domain/0", "any/0"],
        "*.example.com": ["domain/0", "any/0"],
        None: ["any/0"],
    }


def test_a_host_is_that_of_its_most_specific_listener_alone(tmp_path: Path) -> None:
    made = compiled(
        tmp_path,
        meshes.gateway(
            "edge", meshes.listener("all", 80, "*.example.com"), meshes.listener("one", 80, "a.example.com")
        ),
        attached("r", to("cart"), section="all", hostnames=["a.example.com", "b.example.com"]),
    )
    (door,) = doors(made)
    assert hosts(door) == {"a.example.com": [], "b.example.com": ["r/0"], "*.example.com": []}


def test_a_gateway_may_have_limits_of_its_own(tmp_path: Path) -> None:
    web = meshes.listener("web", 80)
    mesh = meshes.mesh(limits={"requests": 7})
    assert compile_snapshot(registry(tmp_path, mesh, meshes.gateway("edge", web)), "edge", 1).limits.requests == 7
    own = meshes.gateway("edge", web, limits={"requests": 3})
    assert compile_snapshot(registry(tmp_path, mesh, own), "edge", 1).limits.requests == 3


def test_a_policy_of_a_gateway_says_what_it_lets_in(tmp_path: Path) -> None:
    policy = meshes.policy("edge", kind="Gateway", rateLimits=[{"requests": 5, "by": {"source": True}}])
    made = compiled(tmp_path, meshes.gateway("edge", meshes.listener("web", 80)), policy)
    assert made.gateway
    assert made.gateway.gate.rate_limits[0].rate.requests == 5


@pytest.mark.parametrize(
    ("documents", "mistake"),
    [
        ([meshes.gateway("edge")], "spec.listeners: tuple should have at least 1 item"),
        ([meshes.gateway("edge", meshes.listener("a", 80), meshes.listener("a", 81))], "two are called a"),
        ([meshes.gateway("edge", meshes.listener("a", 80), meshes.listener("b", 80))], "port 80 and hostname any"),
        ([meshes.gateway("edge", meshes.listener("a", 80, "10.*"))], "spec.listeners[0].hostname"),
        ([meshes.gateway("edge", meshes.listener("a", 80) | {"protocol": "HTTPS"})], "needs a certificate and its key"),
        ([meshes.gateway("edge", meshes.listener("a", 80) | {"tls": FILES})], "tls: means nothing with protocol HTTP"),
        (
            [meshes.gateway("edge", ENCRYPTED, meshes.listener("b", 8_443, "b.example.com"))],
            "listeners: at port 8443 some are HTTPS and some are not",
        ),
        ([meshes.gateway("edge", ENCRYPTED | {"tls": FILES | {"key": "a.key"}})], "spec.listeners[0].tls.key"),
        ([meshes.gateway("cart", meshes.listener("a", 80))], "Gateway cart: is the name of a Service"),
        ([meshes.gateway("cart-1", meshes.listener("a", 80))], "Gateway cart-1: is the name of a Service, an instance"),
        ([meshes.gateway("edge", meshes.listener("a", 18_001))], "address 127.0.0.1:18001 is claimed twice"),
        ([meshes.gateway("edge", meshes.listener("a", 80), admin="127.0.0.1:80")], "127.0.0.1:80 is claimed twice"),
        ([attached("r", to("cart"))], "spec.parentRefs[0]: there is no Gateway edge; known: none"),
        (
            [meshes.gateway("edgy", meshes.listener("a", 80)), attached("r", to("cart"))],
            "spec.parentRefs[0]: there is no Gateway edge; did you mean edgy?",
        ),
        (
            [meshes.gateway("edge", meshes.listener("a", 80)), attached("r", to("cart"), section="b")],
            "has no listener of that sectionName and port; it has a (port 80)",
        ),
        (
            [
                meshes.gateway("edge", meshes.listener("a", 80, "*.example.com")),
                attached("r", to("cart"), hostnames=["example.com"]),
            ],
            "none of spec.hostnames is one that Gateway edge listens for; it listens for *.example.com",
        ),
        (
            [meshes.gateway("edge", meshes.listener("a", 80)), attached("r", to("gone"))],
            "spec.rules[0].backendRefs[0]: there is no Service gone",
        ),
        (
            [
                meshes.gateway("edge", meshes.listener("a", 80)),
                attached("r", to("cart")),
                attached("g", to("cart"), kind="GRPCRoute"),
            ],
            "HTTPRoute r already routes Gateway edge",
        ),
        ([meshes.route("r", "cart", to("cart"), hostnames=["a.org"])], "hostnames: are for routes of a Gateway"),
        (
            [meshes.route("r", "", to("cart"), parentRefs=[{"kind": "Service", "name": "cart", "sectionName": "a"}])],
            "sectionName: is for a listener of a Gateway",
        ),
        (
            [meshes.gateway("edge", meshes.listener("a", 80)), meshes.policy("edge", kind="Gateway", retry={})],
            "retry: is for the Services that a Gateway calls",
        ),
        ([meshes.policy("edge", kind="Gateway")], "spec.targetRef: there is no Gateway edge; known: none"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, documents: list[dict[str, Any]], mistake: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        registry(tmp_path, *documents)
    assert mistake in "\n".join(refused.value.mistakes)


def test_routes_of_other_namespaces_are_taken_where_the_listener_says_so(tmp_path: Path) -> None:
    ref = {"kind": "Gateway", "name": "edge", "namespace": "default"}
    route = meshes.route("r", "", {"backendRefs": [{"name": "cart", "namespace": "default"}]}, parentRefs=[ref])
    route["metadata"]["namespace"] = "team"
    with pytest.raises(ConfigRefused, match="takes routes of its own namespace only"):
        registry(tmp_path, meshes.gateway("edge", meshes.listener("a", 80)), route)
    open_to_all = meshes.listener("a", 80) | {"allowedRoutes": {"namespaces": {"from": "All"}}}
    (door,) = doors(compiled(tmp_path, meshes.gateway("edge", open_to_all), route))
    assert hosts(door) == {None: ["r.team/0"]}


def test_changes_of_gateways_are_told(tmp_path: Path) -> None:
    before = registry(tmp_path)
    after = registry(tmp_path, meshes.gateway("edge", meshes.listener("a", 80)), attached("r", to("cart")))
    told = [(change.kind, change.service, change.summary) for change in changes_between(before, after)]
    assert ("config", "edge", "Gateway edge added") in told
    assert ("config", "edge", "HTTPRoute r added") in told


labels = st.sampled_from(["a", "b", "c"])
names = st.lists(labels, min_size=1, max_size=3).map(".".join)
hostnames: st.SearchStrategy[Hostname] = st.none() | names | names.map("*.{}".format)
plain = st.lists(labels, min_size=1, max_size=4).map(".".join)


@given(hostnames, hostnames, plain)
def test_the_hosts_of_two_names_are_those_of_both(first: Hostname, second: Hostname, host: str) -> None:
    both = covers(first, host) and covers(second, host)
    assert any(covers(name, host) for name in common(first, second)) == both


@given(hostnames, hostnames)
def test_a_name_within_another_is_more_specific(wide: Hostname, narrow: Hostname) -> None:
    if covers(wide, narrow) and wide != narrow:
        assert rank(narrow) < rank(wide)


OUTSIDE = meshes.service("api.example.com", meshes.endpoint("api-1", 18_009), egress="exit", port=80)
EXIT = meshes.gateway("exit", meshes.listener("out", 15_090), egress=True)
CALLER = meshes.service("buyer", meshes.endpoint("buyer-1", 18_003, sidecar=meshes.sidecar(1, 2, 3)))


def test_tls_to_a_service_outside_is_begun_by_whoever_leaves_the_mesh(tmp_path: Path) -> None:
    there = meshes.endpoint("api-1", address="api.example.com:443")
    direct = meshes.service("api", there, tls={"roots": "/etc/roots.pem"})
    led = meshes.service("led", {**there, "instance": "led-1"}, egress="exit", tls={"serverName": "x.example.com"})
    made = registry(tmp_path, direct, led, EXIT, CALLER)
    seen = {one.name: (one.tls, one.outside) for one in compile_snapshot(made, "buyer-1", 1).workloads[0].services}
    assert seen["api"] == (Origination(server_name="api.example.com", roots="/etc/roots.pem"), True)
    assert seen["led"] == (None, False), "the gateway is of the mesh"
    (workload,) = compile_snapshot(made, "exit", 1).workloads
    assert [one.tls for one in workload.services] == [Origination(server_name="x.example.com")]


ELSEWHERE = meshes.endpoint("s-1", address="s.example.com:443")


@pytest.mark.parametrize(
    ("service", "mistake"),
    [
        (meshes.service("s", ELSEWHERE, tls={}, protocol="detect"), "tls: is for http1, http2 and tcp, not for detect"),
        (meshes.service("s", meshes.endpoint("s-1"), tls={}), "tls.serverName: is needed"),
        (meshes.service("s", ELSEWHERE, tls={"key": "/a"}), "certificate and key: go together"),
        (meshes.service("s", ELSEWHERE, tls={}, health={"http": {}}), "health is asked for in the clear"),
        (meshes.service("s", meshes.endpoint("s-1", sidecar=meshes.sidecar(1, 2, 3)), tls={}), "s-1 has a sidecar"),
    ],
)
def test_tls_that_cannot_be_meant_is_refused(tmp_path: Path, service: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        registry(tmp_path, service)
    assert mistake in "\n".join(refused.value.mistakes)


def test_a_service_outside_is_reached_through_the_gateway_that_it_names(tmp_path: Path) -> None:
    policy = meshes.policy("api.example.com", retry={})
    made = registry(tmp_path, OUTSIDE, EXIT, CALLER, policy)
    seen = {one.name: one for one in compile_snapshot(made, "buyer-1", 1).workloads[0].services}
    there = seen["api.example.com"]
    assert [(one.address, one.instance) for one in there.endpoints] == [("127.0.0.1:15090", "exit")]
    assert (there.outside, there.policy.retry) == (False, None), "the gateway is of the mesh, and tries again itself"
    (workload,) = compile_snapshot(made, "exit", 1).workloads
    assert workload.gateway
    assert workload.gateway.callers == "mesh"
    (door,) = doors(workload)
    assert hosts(door)["api.example.com"] == ["exit/api.example.com"]
    (outside,) = workload.services
    assert (outside.outside, outside.endpoints[0].address) == (True, "127.0.0.1:18009")
    assert outside.policy.retry is not None


@pytest.mark.parametrize(
    ("documents", "mistake"),
    [
        ([OUTSIDE], "Service api.example.com: spec.egress: there is no Gateway exit; known: none"),
        ([OUTSIDE, meshes.gateway("exit", meshes.listener("a", 80))], "leads into the mesh; set egress: true"),
        (
            [meshes.gateway("edge", meshes.listener("a", 80), egress=True), attached("r", to("cart"))],
            "leads out of the mesh (egress)",
        ),
        (
            [meshes.gateway("exit", meshes.listener("a", 80), egress=True, trustedHops=1)],
            "trustedHops: are about clients",
        ),
        ([meshes.gateway("exit", meshes.listener("a", 80, "a.org"), egress=True)], "listeners: with egress"),
        ([meshes.gateway("exit", ENCRYPTED, egress=True)], "with egress the proxies of the mesh come in"),
        (
            [meshes.gateway("exit", meshes.listener("a", 80), egress=True, addresses=[{"value": "0.0.0.0"}])],
            "addresses: with egress",
        ),
        ([meshes.service("s", protocol="tcp", egress="exit"), EXIT], "egress: is for http1 and http2, not for tcp"),
        (
            [meshes.service("s", meshes.endpoint("s-1", sidecar=meshes.sidecar(1, 2, 3)), egress="exit"), EXIT],
            "s-1 has a sidecar in it",
        ),
    ],
)
def test_a_way_out_that_cannot_be_meant_is_refused(
    tmp_path: Path, documents: list[dict[str, Any]], mistake: str
) -> None:
    with pytest.raises(ConfigRefused) as refused:
        registry(tmp_path, *documents)
    assert mistake in "\n".join(refused.value.mistakes)
