"""Whoever cannot prove itself to a proxy of a running mesh is refused by its own fault, and the operator sees which."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from deploy.tap import command as tap
from proxy.control.authority.authority import Authority
from proxy.control.authority.ledger import Ledger
from tests.proxy.engine.secured import files, uris
from tests.world.identities import Issuer, spiffe_id
from tests.world.processes import get, until
from tests.world.secured_mesh import SecuredMesh

pytestmark = pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")

HOUR = timedelta(hours=1)
FRONT = spiffe_id("front")
STRANGERS: dict[str, dict[str, Any]] = {
    "tls_no_certificate": {"names": None},
    "tls_unknown_authority": {"issuer": Issuer()},
    "tls_expired": {"starts": -2 * HOUR, "lasts": -HOUR},
    "tls_not_yet_valid": {"starts": HOUR, "lasts": 2 * HOUR},
    "tls_two_names": {"names": uris(FRONT, spiffe_id("shop"))},
    "tls_wrong_trust_domain": {"names": uris(spiffe_id("front", "elsewhere.local"))},
    "tls_bad_certificate": {"names": x509.SubjectAlternativeName([x509.DNSName("front")])},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredMesh]:
    """A strict mesh of which the proxy of `back` runs."""
    place = SecuredMesh(tmp_path_factory.mktemp("mesh"), 1)
    place.write(mtls="strict", authority={})
    with place.start_control() as control:
        control.ready(f"{place.url}/readyz")
        with place.start_proxy("back-1") as back:
            back.ready(f"http://127.0.0.1:{place.back[2]}/readyz")
            yield place


@pytest.fixture(scope="module")
def issuer(place: SecuredMesh) -> Issuer:
    """The mesh's own issuer, in the hands of somebody who signs what it never would."""
    with contextlib.closing(Ledger(place.folder / "state/authority", None)) as ledger:
        kept = Authority(ledger, ledger.domain, ledger.terms(), datetime.now(UTC)).signers.issuer.signer
    assert kept is not None
    return Issuer.holding(kept)


def shown_by(folder: Path, issuer: Issuer, names: Any, **signed: Any) -> list[str]:
    """What openssl is told to show."""
    if names is None:
        return []
    certificate, key = files(folder, issuer, names, **signed)
    chain = folder / "chain.pem"
    chain.write_bytes(issuer.certificate.public_bytes(serialization.Encoding.PEM))
    return ["-cert", str(certificate), "-key", str(key), "-cert_chain", str(chain)]


def asks(place: SecuredMesh, shown: list[str]) -> bytes:
    """What `openssl s_client` is answered."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{place.back[0]}", "-quiet", *shown]
    said = b"GET / HTTP/1.1\r\nhost: back\r\nconnection: close\r\n\r\n"
    return subprocess.run(command, input=said, capture_output=True, timeout=30, check=False).stdout


def refused(place: SecuredMesh, reason: str) -> bool:
    """Whether the proxy's metrics count the refusal."""
    page = get(f"http://127.0.0.1:{place.back[2]}/metrics")[1]
    return f'whymesh_proxy_refused_total{{reason="{reason}"}} 1.0\n' in page


def shown_of(place: SecuredMesh, reason: str) -> list[dict[str, Any]]:
    """What `whymesh tap` shows of the connections that ended so."""
    wish = ["--admin", f"127.0.0.1:{place.back[2]}", "--since", "10m", "--reason", reason, "--json"]
    return [json.loads(line) for line in CliRunner().invoke(tap, wish).output.splitlines()]


@pytest.mark.parametrize("reason", STRANGERS)
def test_openssl_is_refused_by_its_fault(place: SecuredMesh, issuer: Issuer, tmp_path: Path, reason: str) -> None:
    made: dict[str, Any] = {"issuer": issuer, "names": uris(FRONT), **STRANGERS[reason]}
    assert asks(place, shown_by(tmp_path, **made)) == b""
    until(lambda: refused(place, reason), f"{reason} in the metrics")
    until(lambda: bool(shown_of(place, reason)), f"{reason} in what `whymesh tap` shows")
    (seen,) = shown_of(place, reason)
    assert (seen["name"], seen["network.peer.address"]) == ("tls", "127.0.0.1")


def test_openssl_is_let_in_with_a_certificate_of_the_mesh(place: SecuredMesh, issuer: Issuer, tmp_path: Path) -> None:
    assert b"mesh-reason: app_connect_refused" in asks(place, shown_by(tmp_path, issuer, uris(FRONT))), (
        "nobody is behind it"
    )
