"""`whymesh ca` against a running control plane: tokens, rotations step by step, denials, imports, forecasts."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.ca import command
from proxy._engine import Key
from proxy.control.authority.certificates import Signer, hexadecimal, make_issuer, make_root
from tests.world import meshes
from tests.world.processes import free_port, running, until
from tests.world.proofs import Applicant

DAY = timedelta(days=1)


@dataclass
class Place:
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def order(self, *arguments: str) -> Result:
        return CliRunner().invoke(command, [*arguments, "--state", str(self.folder / "state")])

    def look(self, *arguments: str, code: int = 0) -> Any:
        ran = CliRunner().invoke(command, [*arguments, "--control", self.url, "--json"])
        assert ran.exit_code == code, ran.output
        return json.loads(ran.output)

    def acknowledge(self, proxy: str) -> None:
        """Serves what is in force, as a proxy would."""
        with contextlib.closing(_snapshots(self.port, proxy)) as snapshots:
            epoch = next(snapshots)["epoch"]
        _post(f"{self.url}/v1/snapshots/{proxy}/ack", {"epoch": epoch, "accepted": True})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path, free_port())
    card = meshes.service("card", meshes.endpoint("card-1", 18_001, sidecar=meshes.sidecar(1, 2, 3)))
    path = meshes.write(tmp_path / "mesh.yaml", meshes.mesh(authority={}), card)
    arguments = ("-f", str(path), "--listen", f"127.0.0.1:{place.port}", "--state", str(tmp_path / "state"))
    with running("proxy.control", *arguments, log=tmp_path / "control.log") as process:
        process.ready(f"{place.url}/readyz")
        yield place


@pytest.fixture
def card(place: Place) -> Applicant:
    """A proxy that has joined and serves what is in force."""
    card = Applicant("card-1", "card")
    made = place.order("token", "--proxy", "card-1").output.strip()
    assert card.ask(place.url, card.joining(made))[0] == 200
    place.acknowledge("card-1")
    return card


def test_a_root_is_replaced_step_by_step(place: Place, card: Applicant) -> None:
    def step() -> Any:
        return place.look("status")["rotation"]

    assert "a new root is spread" in place.order("rotate", "root").output
    until(lambda: step() == {"step": "spreading", "waits_for": ["card-1"]}, "the new root to be spread")
    again = place.order("rotate", "root")
    assert (again.exit_code, "a rotation goes on since" in again.output) == (2, True)
    place.acknowledge("card-1")
    until(lambda: step()["step"] == "renewing", "the new root to sign")
    assert card.ask(place.url, card.renewing(Key()))[0] == 200
    place.acknowledge("card-1")
    until(lambda: step() == {"step": "none", "waits_for": []}, "the old root to go")
    assert [root["state"] for root in place.look("status")["roots"]] == ["active"]
    lines = (place.folder / "state/authority/audit.log").read_text()
    assert "the old root is trusted no more" in lines
    assert place.order("rotate", "issuer").output == "a new issuer signs from now on\n"
    assert card.ask(place.url, card.joining(place.order("token", "--any").output.strip()))[0] == 200


def test_who_is_denied_is_denied_everywhere(place: Place, card: Applicant) -> None:
    status, answer = card.ask(place.url, card.renewing(fresh := Key()))
    assert status == 200, answer
    card.key = fresh
    denied = place.order("deny", "card-1", "--reason", "stolen").output.split()[1::2]
    assert len(denied) == 2, "both of its certificates"
    listed = place.look("denied")
    assert {one["serial"] for one in listed} == set(denied)
    assert {(one["proxy"], one["reason"]) for one in listed} == {("card-1", "stolen")}
    until(lambda: signed(place) == set(denied), "a list that the issuer signed")
    assert card.ask(place.url, card.renewing(Key()))[1]["code"] == "proof_denied"
    nobody = place.order("deny", "nobody", "--reason", "typing error")
    assert (nobody.exit_code, "neither the serial of a valid certificate" in nobody.output) == (2, True)
    shown = CliRunner().invoke(command, ["denied", "--control", place.url]).output
    assert f"{denied[0]}  card-1  {card.uri}" in shown
    assert "UTC: stolen" in shown
    assert place.order("undeny", card.uri).exit_code == 0
    until(lambda: signed(place) == set(), "the list to be withdrawn")
    assert card.ask(place.url, card.renewing(Key()))[0] == 200
    assert CliRunner().invoke(command, ["denied", "--control", place.url]).output == "no certificate is denied\n"


def signed(place: Place) -> set[str]:
    """The serials on the lists that the proxy is told."""
    with contextlib.closing(_snapshots(place.port, "card-1")) as snapshots:
        trust = next(snapshots)["trust"]
    crls = [x509.load_der_x509_crl(base64.b64decode(one["crl"])) for one in trust["crls"].get("mesh.local", ())]
    return {hexadecimal(entry.serial_number) for crl in crls for entry in crl}


def test_a_forecast_says_when_each_proxy_stops(place: Place, card: Applicant) -> None:
    first, *_ = place.look("forecast")
    assert "card-1 has no valid certificate as spiffe://mesh.local/ns/default/sa/card any more" in first["what"]
    left = datetime.fromisoformat(first["at"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    shown = CliRunner().invoke(command, ["forecast", "--control", place.url]).output
    assert "UTC (in 24.0 h)  card-1 has no valid certificate" in shown


def test_a_node_key_is_good_until_it_is_revoked(place: Place) -> None:
    key = place.order("token", "--node", "--proxy", "card-1").output.strip()
    for _ in range(2):
        applicant = Applicant("card-1", "card")
        assert applicant.ask(place.url, applicant.joining(key))[0] == 200
    assert place.order("revoke", key.split(".")[1]).exit_code == 0
    assert applicant.ask(place.url, applicant.joining(key))[1]["code"] == "token_revoked"
    assert place.look("status")["passes"][0]["state"] == "revoked"


def test_a_root_of_ones_own_is_brought_along(place: Place, tmp_path: Path) -> None:
    files = _pem(tmp_path, root=make_root("mesh.local", datetime.now(UTC), 900 * DAY))
    wrong = _pem(tmp_path, other=make_root("mesh.local", datetime.now(UTC), 900 * DAY))
    refused = place.order("import", "--root", files[0], "--root-key", wrong[1])
    assert (refused.exit_code, f"{wrong[1]}: is not the key of {files[0]}" in refused.output) == (2, True)
    assert place.order("import", "--root", files[0], "--root-key", files[1]).exit_code == 0
    until(lambda: len(place.look("status")["roots"]) == 2, "both roots")
    place.acknowledge("card-1")
    own = x509.load_pem_x509_certificate(Path(files[0]).read_bytes())
    until(lambda: place.look("status")["issuer"]["state"] == "active", "an issuer")
    until(lambda: _active(place)["subject"] == own.subject.rfc4514_string(), "the root to sign")


def test_an_issuer_is_brought_along_without_the_key_of_its_root(place: Place, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    root = make_root("mesh.local", now, 900 * DAY)
    root_file, _ = _pem(tmp_path, root=root)
    issuer_file, issuer_key = _pem(tmp_path, issuer=make_issuer("mesh.local", root, now, 90 * DAY))
    brought = ("--issuer", issuer_file, "--issuer-key", issuer_key)
    foreign, _ = _pem(tmp_path, foreign=make_root("mesh.local", now, 900 * DAY))
    refused = place.order("import", "--root", foreign, *brought)
    assert (refused.exit_code, "was not signed by" in refused.output) == (2, True)
    assert place.order("import", "--root", root_file, *brought).exit_code == 0
    until(lambda: len(place.look("status")["roots"]) == 2, "both roots")
    place.acknowledge("card-1")
    until(lambda: _active(place)["key"] == "elsewhere", "the root to be the one that counts")
    card = Applicant("card-1", "card")
    status, answer = card.ask(place.url, card.joining(place.order("token", "--any").output.strip()))
    assert status == 200, answer
    assert card.chain[1] == x509.load_pem_x509_certificate(Path(issuer_file).read_bytes()).public_bytes(Encoding.DER)
    assert any("bring a new issuer along" in line["what"] for line in place.look("forecast"))
    refused = place.order("rotate", "issuer")
    assert (refused.exit_code, "whymesh ca import" in refused.output) == (2, True)


def test_without_a_control_plane_or_a_folder_it_says_so(tmp_path: Path) -> None:
    ran = CliRunner().invoke(command, ["status", "--control", f"http://127.0.0.1:{free_port()}"])
    assert ran.exit_code == 3
    ran = CliRunner().invoke(command, ["token", "--any", "--state", str(tmp_path / "nowhere")])
    assert (ran.exit_code, "is this the --state of `whymesh control`?" in ran.output) == (2, True)
    assert not (tmp_path / "nowhere").exists()


def _active(place: Place) -> Any:
    return next(root for root in place.look("status")["roots"] if root["state"] == "active")


def _pem(folder: Path, **signers: Signer) -> tuple[str, str]:
    ((name, signer),) = signers.items()
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(signer.certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(paths[0]), str(paths[1])


def _post(url: str, body: Any) -> None:
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=10).close()


def _snapshots(port: int, proxy: str) -> Iterator[Any]:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", f"/v1/snapshots/{proxy}")
    with contextlib.closing(connection), connection.getresponse() as response:
        yield json.loads(response.readline())
