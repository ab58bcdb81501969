"""The control plane with an authority: who joins, who renews, who gets nothing, and what is written of it."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from proxy._engine import Key
from proxy.control.authority.ledger import Ledger
from proxy.control.authority.passes import Passes
from tests.world import meshes
from tests.world.processes import free_port, get, running, until
from tests.world.proofs import Applicant, post

SERVICES = [
    meshes.service("card", meshes.endpoint("card-1", 18_001, sidecar=meshes.sidecar(1, 2, 3))),
    meshes.service("cart", meshes.endpoint("cart-1", 18_002, sidecar=meshes.sidecar(4, 5, 6))),
]


@dataclass
class Place:
    """A control plane with an authority, and its files."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / "state" / "authority", None)

    def token(self, *proxies: str, now: datetime | None = None) -> str:
        return Passes(self.ledger).make("token", proxies, now or datetime.now(UTC), timedelta(hours=1))

    def node_key(self) -> str:
        return (self.folder / "node.key").read_text().strip()

    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "state/authority/audit.log").read_text().splitlines()]

    def write(self, **mesh: Any) -> Path:
        return meshes.write(self.folder / "mesh.yaml", meshes.mesh(**mesh), *SERVICES)

    def start(self) -> Any:
        files = ("--state", str(self.folder / "state"), "--node-key", str(self.folder / "node.key"))
        listen = ("--listen", f"127.0.0.1:{self.port}")
        path = self.folder / "mesh.yaml"
        return running("proxy.control", "-f", str(path), *listen, *files, log=self.folder / "control.log")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("authority"), free_port())
    place.write(authority={})
    with place.start() as process:
        process.ready(f"{place.url}/readyz")
        yield place


@pytest.fixture
def card() -> Applicant:
    return Applicant("card-1", "card")


def test_a_token_joins_and_the_certificate_renews(place: Place, card: Applicant) -> None:
    status, answer = card.ask(place.url, card.joining(place.token("card-1")))
    assert status == 200, answer
    leaf = x509.load_der_x509_certificate(card.chain[0])
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [card.uri]
    assert answer["renew_at"] - answer["now"] == pytest.approx(16 * 3600, abs=2)
    assert answer["not_after"] - answer["now"] == pytest.approx(24 * 3600, abs=2)
    ssl.create_default_context(cadata=base64.b64decode(answer["bundle"][0]))
    fresh = Key()
    status, answer = card.ask(place.url, card.renewing(fresh))
    assert status == 200, answer
    assert x509.load_der_x509_certificate(card.chain[0]).serial_number != leaf.serial_number


def test_every_refusal_says_what_is_wrong_and_is_written_down(place: Place, card: Applicant) -> None:
    card.ask(place.url, card.joining(place.node_key()))
    cart = Applicant("cart-1", "cart")
    cart.ask(place.url, cart.joining(place.node_key()))
    used = place.token("card-1")
    Applicant("card-1", "card").ask(place.url, Applicant("card-1", "card").joining(used))
    old = place.token("card-1", now=datetime.now(UTC) - timedelta(hours=2))
    foreign = Applicant("card-1", "card", chain=[_self_signed()])
    other_service = {**card.joining(place.token("card-1")), "service": "cart"}
    other_name = card.joining(place.token("card-1"), "spiffe://mesh.local/ns/default/sa/cart")
    two_names = card.joining(place.token("card-1"), card.uri, "spiffe://mesh.local/ns/default/sa/cart")
    noise = {**card.joining(place.token("card-1")), "csr": base64.b64encode(b"noise").decode()}
    stolen = {**card.renewing(Key()), "proof": cart.renewing(Key(), proxy="card-1")["proof"]}
    shown = [
        (other_service, "not_its_service"),
        (other_name, "request_name"),
        (two_names, "request_name"),
        (noise, "request_malformed"),
        (card.joining(None), "nothing_shown"),
        (card.joining("give me one"), "token_malformed"),
        (card.joining(used[:-1] + ("A" if used[-1] != "A" else "B")), "token_unknown"),
        (card.joining(used), "token_used"),
        (card.joining(old), "token_expired"),
        (card.joining(place.token("cart-1")), "token_other_proxy"),
        (card.renewing(Key(), signed_by=Key()), "proof_signature"),
        (card.renewing(Key(), proxy="cart-1"), "proof_signature"),
        (foreign.renewing(Key()), "proof_foreign"),
        (stolen, "proof_other"),
    ]
    before = len(place.audit())
    for wish, code in shown:
        status, answer = post(f"{place.url}/v1/identities/card-1", wish)
        assert (status, answer.get("code")) == (403, code), answer
        assert len(answer["error"]) > 20, "a sentence"
    lines = place.audit()[before:]
    assert [line["code"] for line in lines] == [code for _, code in shown]
    assert all(line["what"] == "refuse" and line["at"] and line["actor"] == "from 127.0.0.1" for line in lines)


@pytest.mark.parametrize(
    ("proxy", "body", "status"),
    [
        ("nobody", {"service": "card", "csr": ""}, 404),
        ("card-1", b"", 400),
        ("card-1", b"[]", 400),
        ("card-1", b"\xff" * 100, 400),
        ("card-1", {"service": "card", "csr": "not base64!"}, 400),
        ("card-1", {"service": "card", "csr": "", "please": True}, 400),
        ("card-1", {"service": "card", "csr": "", "token": "x" * 8_193}, 400),
        ("%00..%2f", {"service": "card", "csr": ""}, 404),
    ],
)
def test_what_makes_no_sense_gets_nothing(place: Place, proxy: str, body: Any, status: int) -> None:
    found, answer = post(f"{place.url}/v1/identities/{proxy}", body)
    assert found == status
    assert "chain" not in answer
    assert answer["error"]


def test_proxies_are_told_whom_to_trust(place: Place) -> None:
    shown = json.loads(get(f"{place.url}/v1/authority")[1])
    assert shown["trust_domain"] == "mesh.local"
    assert [root["state"] for root in shown["roots"]] == ["active"]
    assert shown["rotation"] == {"step": "none", "waits_for": []}


def test_without_an_authority_there_is_none_and_no_file(tmp_path: Path, card: Applicant) -> None:
    place = Place(tmp_path, free_port())
    place.write()
    with place.start() as process:
        process.ready(f"{place.url}/readyz")
        assert card.ask(place.url, card.joining("x"))[1]["code"] == "no_authority"
        assert get(f"{place.url}/v1/authority")[0] == 404
        assert not (tmp_path / "state" / "authority").exists()
        assert not (tmp_path / "node.key").exists()

        place.write(authority={"lifetime": "30s"})
        until(lambda: get(f"{place.url}/v1/authority")[0] == 200, "an authority, without a restart")
        status, answer = card.ask(place.url, card.joining(place.node_key()))
        assert status == 200, answer
        assert answer["not_after"] - answer["now"] == pytest.approx(30, abs=1.1)
        place.write(authority={"lifetime": "20m"})

        def lasts() -> float:
            answer = card.ask(place.url, card.joining(place.node_key()))[1]
            return float(answer["not_after"] - answer["now"])

        until(lambda: lasts() > 1190, "the new lifetime")


def test_an_authority_without_a_place_for_its_keys_is_refused(tmp_path: Path) -> None:
    path = meshes.write(tmp_path / "mesh.yaml", meshes.mesh(authority={}), *SERVICES)
    with running("proxy.control", "-f", str(path), "--listen", "127.0.0.1:0", log=tmp_path / "log") as process:
        assert process.wait() == 2
        assert process.output() == (
            "whymesh control: Mesh: spec.authority: needs a folder to keep its keys; start with --state FOLDER\n"
        )


def _self_signed() -> bytes:
    from tests.world.identities import Issuer

    return Issuer().identity("card")[1][0]
