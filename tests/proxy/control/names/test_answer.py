"""DNS queries answered: by the names of a registry, and whatever the bytes are."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.control.compile import compile_snapshot
from proxy.control.documents import KINDS
from proxy.control.errors import ConfigRefused
from proxy.control.names.answer import PAYLOAD, Foreign, answer
from proxy.control.names.directory import Directory, directory
from proxy.control.names.virtual import virtual_addresses
from proxy.control.reading.read import Configuration, load
from proxy.control.registry import Registry, register
from tests.world import meshes


def at(instance: str, address: str, **more: Any) -> dict[str, Any]:
    return {"instance": instance, "app": address, **more}


CART = (
    at("cart-1", "10.0.0.1:80"),
    at("cart-2", "10.0.0.2:8080"),
    at("cart-6", "[fd00::6]:80"),
    at("far", "far.test:80"),
)
SERVICES = (
    meshes.service("cart", *CART),
    meshes.service("pay", at("pay-1", "10.0.1.1:80"), namespace="team"),
    meshes.service(
        "db", at("db-1", "10.0.2.1:5432"), protocol="tcp", port=5432, addresses=["10.9.0.1:5432", "10.9.0.1:1"]
    ),
    meshes.service("none"),
)


def registry(*services: dict[str, Any], left_out: dict[str, str] | None = None, **dns_spec: Any) -> Registry:
    documents = [KINDS[one["kind"]].model_validate(one) for one in services or SERVICES]
    mesh = KINDS["Mesh"].model_validate(meshes.mesh(dns=dns_spec))
    return register(Configuration(mesh, tuple(documents)), left_out)  # type: ignore[arg-type]


DIRECTORY = directory(registry())


def ask(name: str, kind: str = "A", known: Directory = DIRECTORY, over_tcp: bool = False, **how: Any) -> Any:
    query = dns.message.make_query(name, kind, **how)
    said = answer(query.to_wire(), known, over_tcp)
    if isinstance(said, Foreign):
        return said
    assert said is not None
    response = dns.message.from_wire(said)
    assert query.is_response(response)
    return response


def found(name: str, kind: str = "A", known: Directory = DIRECTORY) -> list[str]:
    return sorted(str(each) for rrset in ask(name, kind, known).answer for each in rrset)


@pytest.mark.parametrize("name", ["cart", "CaRt.", "cart.default", "cart.mesh", "cart.default.mesh"])
def test_a_service_has_the_addresses_of_its_instances(name: str) -> None:
    assert found(name) == ["10.0.0.1", "10.0.0.2"]
    assert found(name, "AAAA") == ["fd00::6"]
    assert found(name, "ANY") == ["10.0.0.1", "10.0.0.2", "fd00::6"]


def test_the_question_comes_back_as_it_was_written() -> None:
    response = ask("CaRt.MESH")
    assert response.question[0].name.to_text() == "CaRt.MESH."
    assert response.flags & dns.flags.AA
    assert response.answer[0].ttl == 5


def test_another_namespace_is_part_of_the_name() -> None:
    assert found("pay.team") == found("pay.team.mesh") == ["10.0.1.1"]
    assert ask("pay.mesh").rcode() == dns.rcode.NXDOMAIN
    assert isinstance(ask("pay"), Foreign)


def test_addresses_that_mean_any_instance_stand_before_those_of_instances() -> None:
    assert found("db") == ["10.9.0.1"]
    assert found("db", "SRV") == ["0 0 5432 db.default.mesh."]
    assert found("db-1.db.default.mesh") == ["10.0.2.1"]


@pytest.mark.parametrize("name", ["cart", "_http._tcp.cart.mesh", "_grpc._tcp.cart.default"])
def test_places_have_the_port_of_each_instance(name: str) -> None:
    instances = {"cart-1": ("80", "10.0.0.1"), "cart-2": ("8080", "10.0.0.2"), "cart-6": ("80", "fd00::6")}
    assert found(name, "SRV") == sorted(f"0 0 {port} {who}.cart.default.mesh." for who, (port, _) in instances.items())
    more = {rrset.name.to_text(): str(rrset[0]) for rrset in ask(name, "SRV").additional}
    assert more == {f"{who}.cart.default.mesh.": address for who, (_, address) in instances.items()}


def test_who_is_unwell_is_in_no_answer() -> None:
    known = directory(registry(left_out={"cart-1": "refused"}))
    assert found("cart", known=known) == ["10.0.0.2"]
    assert len(found("cart", "SRV", known)) == 2


def test_any_instance_may_be_the_first() -> None:
    firsts = {str(ask("cart").answer[0][0]) for _ in range(100)}
    assert firsts == {"10.0.0.1", "10.0.0.2"}


def test_names_that_dns_cannot_carry_are_not_in_it() -> None:
    long = meshes.service("a" * 70, at("b-1", "10.0.0.1:80"))
    known = directory(registry(meshes.service("c", at("d" * 70, "10.0.0.2:80")), long))
    assert found("c", known=known) == []
    assert found("c", "SRV", known) == []


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        *(("none", "A", "NOERROR"), ("pay.team", "AAAA", "NOERROR"), ("cart", "MX", "NOERROR")),
        *(("mesh", "A", "NOERROR"), ("no.mesh", "A", "NXDOMAIN"), ("a.b.c.mesh", "SRV", "NXDOMAIN")),
    ],
)
def test_what_is_not_there_says_how_long_that_may_be_remembered(name: str, kind: str, rcode: str) -> None:
    response = ask(name, kind)
    assert dns.rcode.to_text(response.rcode()) == rcode
    assert response.answer == []
    assert (response.authority[0].rdtype, response.authority[0][0].minimum) == (dns.rdatatype.SOA, 5)


def test_names_of_others_are_for_others() -> None:
    for name in ("example.com", "cart.example.com", "localhost", "meshy", "xmesh", "."):
        assert isinstance(ask(name), Foreign), name


def test_a_suffix_and_a_time_of_ones_own() -> None:
    known = directory(registry(suffix="svc.corp", ttl="30s"))
    assert found("cart.svc.corp", known=known) == ["10.0.0.1", "10.0.0.2"]
    assert ask("cart.svc.corp", known=known).answer[0].ttl == 30
    assert isinstance(ask("cart.mesh", known=known), Foreign)


@pytest.mark.parametrize(
    ("how", "longest"),
    [({}, 512), ({"use_edns": 0, "payload": 900}, 900), ({"use_edns": 0, "payload": 60_000}, PAYLOAD)],
)
def test_what_does_not_fit_is_cut_and_says_so(how: dict[str, Any], longest: int) -> None:
    crowd = [at(f"big-{n}", f"10.1.{n // 250}.{n % 250 + 1}:80") for n in range(1_000)]
    known = directory(registry(meshes.service("big", *crowd)))
    wire = answer(dns.message.make_query("big", "A", **how).to_wire(), known, over_tcp=False)
    assert isinstance(wire, bytes)
    assert len(wire) <= longest
    assert dns.message.from_wire(wire).flags & dns.flags.TC
    whole = ask("big", known=known, over_tcp=True)
    assert (len(whole.answer[0]), bool(whole.flags & dns.flags.TC)) == (1_000, False)


def test_what_is_asked_otherwise_is_refused_by_the_book() -> None:
    assert ask("cart", rdclass=dns.rdataclass.CH).rcode() == dns.rcode.REFUSED
    assert ask("cart", use_edns=1).rcode() == dns.rcode.BADVERS
    two = dns.message.make_query("cart", "A")
    two.question += dns.message.make_query("pay.team", "A").question
    notify = dns.message.make_query("cart", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    update = b"\x12\x34\x28\x00" + bytes(8)
    for wire, rcode in ((two.to_wire(), "FORMERR"), (notify.to_wire(), "NOTIMP"), (update, "NOTIMP")):
        said = answer(wire, DIRECTORY, over_tcp=False)
        assert isinstance(said, bytes)
        assert (said[:2], dns.rcode.to_text(dns.rcode.Rcode(said[3] & 15))) == (wire[:2], rcode)


def test_a_response_is_not_answered() -> None:
    response = dns.message.make_response(dns.message.make_query("cart", "A")).to_wire()
    for wire in (response, b"", b"\x00" * 11):
        assert answer(wire, DIRECTORY, over_tcp=False) is None


QUERIES = [
    dns.message.make_query(name, kind, **how).to_wire()
    for name in ("cart", "_http._tcp.cart.mesh", "a" * 63 + ".mesh")
    for kind in ("A", "SRV", "TSIG")
    for how in ({}, {"use_edns": 0, "payload": 4_096, "want_dnssec": True})
]


@given(st.binary(max_size=600) | st.binary(max_size=300).map(lambda tail: b"\x00\x01\x01\x00" + tail), st.booleans())
def test_no_bytes_are_too_much(wire: bytes, over_tcp: bool) -> None:
    said = answer(wire, DIRECTORY, over_tcp)
    assert said is None or isinstance(said, Foreign) or said[:2] == wire[:2]


@given(
    st.sampled_from(QUERIES), st.lists(st.tuples(st.integers(2, 300), st.integers(0, 255)), max_size=6), st.booleans()
)
def test_no_query_with_wrong_bytes_in_it_is_too_much(
    query: bytes, wrong: list[tuple[int, int]], over_tcp: bool
) -> None:
    wire = bytearray(query)
    for place, byte in wrong:
        wire[place % len(wire)] = byte
    said = answer(bytes(wire), DIRECTORY, over_tcp)
    if isinstance(said, bytes):
        assert said[2] & 0x80
        assert len(said) <= (65_535 if over_tcp else PAYLOAD)


def test_a_service_without_addresses_has_a_virtual_one_that_proxies_know(tmp_path: Path) -> None:
    front = meshes.service("front", meshes.endpoint("front-1", sidecar=meshes.sidecar(1, 2, 3)))
    for network in ("240.240.0.0/16", "fd00:240::/64"):
        made = registry(front, *SERVICES, virtual=network)
        known = directory(made)
        (address,) = found("cart", "AAAA" if ":" in network else "A", known)
        services = {one.name: one for one in compile_snapshot(made, "front-1", 1).workloads[0].services}
        assert services["cart"].addresses == (f"[{address}]:80" if ":" in address else f"{address}:80",)
        assert services["db"].addresses == ("10.9.0.1:5432", "10.9.0.1:1")


@given(st.sets(st.integers(0, 999), max_size=300))
def test_virtual_addresses_differ_and_stay_when_others_come(numbers: set[int]) -> None:
    names = {f"s{number}" for number in numbers}
    network = ip_network("240.240.0.0/24")
    given_to = virtual_addresses(names, network)
    assert len(set(given_to.values())) == len(given_to) == min(len(names), 254)
    assert all(address in network for address in given_to.values())
    assert network[0] not in given_to.values()
    assert network[-1] not in given_to.values()
    wide = ip_network("fd00::/64")
    assert virtual_addresses(names, wide).items() <= virtual_addresses(names | {"new"}, wide).items()


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"virtual": "240.240.0.0/28"}, "spec.dns.virtual: expected a network of at least 256"),
        ({"virtual": "127.1.0.0/16"}, "spec.dns.virtual: connections to loopback"),
        ({"virtual": "somewhere"}, "spec.dns.virtual: "),
        ({"suffix": ".mesh"}, "spec.dns.suffix: "),
        ({"ttl": "1500ms"}, "spec.dns.ttl: expected whole seconds"),
        ({"upstreams": ["dns.example.com:53"]}, "spec.dns.upstreams[0]: "),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_its_path(
    tmp_path: Path, spec: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigRefused) as refused:
        load(meshes.write(tmp_path / "mesh.yaml", meshes.mesh(dns=spec), *SERVICES))
    assert complaint in str(refused.value)
