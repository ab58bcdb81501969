"""Proxies and people reach the control plane over TLS: each knows the other, or nothing is said."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import shutil
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.ca import command as ca
from deploy.config.look import status
from proxy.control.authority.authority import Authority
from proxy.control.authority.ledger import Ledger
from proxy.control.authority.terms import Terms
from tests.world.identities import spiffe_id
from tests.world.processes import Process, get, until
from tests.world.proofs import post
from tests.world.secured_mesh import SecuredMesh
from tests.world.threaded import Application, serving


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredMesh]:
    """A control plane with an authority; proxies come and go."""
    mesh = SecuredMesh(tmp_path_factory.mktemp("mesh"), 1)
    mesh.write(mtls="strict", authority={})
    with mesh.start_control() as control:
        control.ready(f"{mesh.url}/readyz")
        yield mesh


def roots_of(mesh: SecuredMesh) -> Path:
    return mesh.folder / "state/authority/roots.pem"


def ready(mesh: SecuredMesh, process: Process, instance: str) -> None:
    process.ready(f"http://127.0.0.1:{mesh.front[2] if instance == 'front-1' else mesh.back[2]}/readyz")


def states(mesh: SecuredMesh) -> dict[str, str]:
    said = get(f"{mesh.url}/v1/status")[1]
    return {one["name"]: one["state"] for one in json.loads(said)["proxies"]} if said else {}


def ask(mesh: SecuredMesh, path: str, headers: dict[str, str] | None = None, shows: Any = None) -> tuple[int, str]:
    """Status and beginning of an answer over TLS, the server's name checked as any client does."""
    tls = ssl.create_default_context(cafile=str(roots_of(mesh)))
    if shows:
        tls.load_cert_chain(*shows)
    connection = http.client.HTTPSConnection("localhost", mesh.tls, context=tls, timeout=20)
    try:
        connection.request("GET", path, headers=headers or {})
        with connection.getresponse() as answer:
            return answer.status, answer.readline().decode()
    finally:
        connection.close()


def joined(mesh: SecuredMesh, token: str, folder: Path) -> tuple[Path, Path]:
    """A certificate of back-1, which another program made the key for."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id("back"))])
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=False)
    csr = base64.b64encode(asked.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)).decode()
    status, said = post(f"{mesh.url}/v1/identities/back-1", {"service": "back", "csr": csr, "token": token})
    assert status == 200, said
    paths = folder / "leaf.pem", folder / "leaf.key"
    paths[0].write_text("".join(ssl.DER_cert_to_PEM_cert(base64.b64decode(one)) for one in said["chain"]))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


def test_proxies_follow_over_tls_while_the_root_changes_and_after(tmp_path: Path) -> None:
    with serving(Application()) as app:
        mesh = SecuredMesh(tmp_path, app.port, known_by=str(tmp_path / "known.pem"))
        mesh.write(mtls="strict", authority={})
        with mesh.start_control() as control:
            control.ready(f"{mesh.url}/readyz")
            shutil.copy(roots_of(mesh), mesh.known_by)
            with mesh.start_proxy("front-1") as front, mesh.start_proxy("back-1") as back:
                ready(mesh, front, "front-1")
                ready(mesh, back, "back-1")
                assert mesh.call() == (200, "hi")
                before = mesh.authority()["roots"][0]["sha256"]
                mesh.order("rotate", "root")
                until(lambda: mesh.authority()["roots"][0]["sha256"] != before, "another root to sign")
                control.kill()
                with mesh.start_control() as again:
                    again.ready(f"{mesh.url}/readyz")
                    until(lambda: set(states(mesh).values()) == {"current"}, "proxies that know it by the new root")
                    assert mesh.call() == (200, "hi")


def test_a_proxy_knows_the_control_plane_by_the_fingerprint_of_its_root(mesh: SecuredMesh) -> None:
    mesh.known_by = f"sha256:{mesh.authority()['roots'][0]['sha256']}"
    with mesh.start_proxy("front-1") as front:
        ready(mesh, front, "front-1")


@pytest.mark.parametrize("known_by", ["sha256:" + "0" * 64, "nowhere.pem", __file__])
def test_whoever_is_not_known_is_told_nothing(mesh: SecuredMesh, known_by: str) -> None:
    mesh.known_by = known_by
    said = {"nowhere.pem": "No such file", __file__: "no certificate in PEM"}.get(known_by, "UnknownIssuer")
    with mesh.start_proxy("back-1") as back:
        until(lambda: said in back.output(), said)
        assert states(mesh)["back-1"] == "unknown"


def test_a_proxy_at_https_has_to_know_somebody(mesh: SecuredMesh) -> None:
    mesh.known_by = ""
    with mesh.start_proxy("back-1", url=f"https://127.0.0.1:{mesh.tls}") as back:
        assert back.wait() == 2
        assert "--control-root FILE" in back.output()


def test_a_snapshot_is_for_its_proxy(mesh: SecuredMesh, tmp_path: Path) -> None:
    path = "/v1/snapshots/back-1"
    code, said = ask(mesh, path)
    assert (code, "shows its certificate" in said) == (403, True)
    key = (mesh.folder / "node.key").read_text().strip()
    code, said = ask(mesh, path, {"Authorization": f"Bearer {key}"})
    assert (code, '"epoch"' in said) == (200, True)
    code, said = ask(mesh, path, {"Authorization": f"Bearer {key[:-1]}x"})
    assert (code, "no token or node key" in said) == (403, True)
    shown = joined(mesh, key, tmp_path)
    assert ask(mesh, path, shows=shown)[0] == 200
    code, said = ask(mesh, "/v1/snapshots/front-1", shows=shown)
    assert (code, "is that of back-1, not of front-1" in said) == (403, True)
    mesh.order("deny", "back-1", "--reason", "stolen")
    code, said = ask(mesh, path, shows=shown)
    assert (code, "is denied" in said) == (403, True)
    assert ask(mesh, "/v1/status")[0] == 200


def test_the_commands_reach_it_by_the_same_roots(mesh: SecuredMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"https://localhost:{mesh.tls}"
    monkeypatch.setenv("WHYMESH_CONTROL_ROOT", str(roots_of(mesh)))
    assert "PROXY" in CliRunner().invoke(status, ["--url", url]).output
    assert "trust domain mesh.local" in CliRunner().invoke(ca, ["status", "--control", url]).output
    monkeypatch.setenv("WHYMESH_CONTROL_ROOT", __file__)
    refused = CliRunner().invoke(status, ["--url", url])
    assert (refused.exit_code, "WHYMESH_CONTROL_ROOT" in refused.output) == (3, True)
    monkeypatch.delenv("WHYMESH_CONTROL_ROOT")
    refused = CliRunner().invoke(ca, ["status", "--control", url])
    assert (refused.exit_code, "certificate verify failed" in refused.output) == (3, True)


def test_it_starts_when_its_authority_slept_through_its_own_end(tmp_path: Path) -> None:
    mesh, began = SecuredMesh(tmp_path, 1), datetime.now(UTC) - timedelta(days=10)
    mesh.write(mtls="strict", authority={})
    terms = Terms(leaf=timedelta(hours=1), issuer=timedelta(days=1), root=timedelta(days=1))
    with contextlib.closing(Ledger(tmp_path / "state/authority", "mesh.local")) as ledger:
        Authority(ledger, "mesh.local", terms, began)
    with mesh.start_control() as control:
        control.ready(f"{mesh.url}/readyz")

        def answers() -> bool:
            with contextlib.suppress(OSError):
                return ask(mesh, "/v1/status")[0] == 200
            return False

        until(answers, "a certificate of the next root")
