"""The sidecar's side of identities against a real control plane: joins, renews, starts again, lives without it."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proxy._engine import Key
from proxy.control.authority.authority import Authority
from proxy.control.authority.denials import Denials
from proxy.control.authority.ledger import Ledger
from proxy.identities import Identities
from proxy.saved_identity import SavedIdentities
from proxy.subscribe import ControlPlane
from tests.world import meshes
from tests.world.processes import Process, free_port, get, running, until

CARD = "spiffe://mesh.local/ns/default/sa/card"
SERVICES = [meshes.service("card", meshes.endpoint("card-1", 18_001, sidecar=meshes.sidecar(1, 2, 3)))]


@dataclass
class Place:
    """A control plane with an authority, and what a proxy beside it has."""

    folder: Path
    port: int = field(default_factory=free_port)
    shown: list[tuple[str, Key, list[bytes]]] = field(default_factory=list)
    now: float = 1000.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def control(self) -> Any:
        path = meshes.write(self.folder / "mesh.yaml", meshes.mesh(authority={}), *SERVICES)
        files = ("--state", str(self.folder / "state"), "--node-key", str(self.folder / "node.key"))
        listen = ("--listen", f"127.0.0.1:{self.port}")
        return running("proxy.control", "-f", str(path), *listen, *files, log=self.folder / "control.log")

    @contextlib.contextmanager
    def proxy(self, secret: bytes = b"secret") -> Iterator[Identities]:
        stop = threading.Event()
        saved = SavedIdentities(self.folder / "proxy", "card-1", lambda: secret, Key)
        control = ControlPlane(self.url, "card-1", stop)
        identities = Identities(control, Key, self.folder / "node.key", saved, stop, lambda: self.now)
        restored = identities.restored(snapshot())
        self.shown.extend((service, *shown) for service, shown in restored.items())
        identities.want(lambda *given: self.shown.append(given), snapshot())
        running = threading.Thread(target=identities.run)
        running.start()
        try:
            yield identities
        finally:
            stop.set()
            running.join()


def snapshot(*roots: str) -> dict[str, Any]:
    workload = {"node": {"service": "card", "instance": "card-1"}, "identity": CARD}
    return {"workloads": [workload], "trust": {"domains": {"mesh.local": list(roots)}}}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def control(place: Place) -> Iterator[Process]:
    with place.control() as process:
        process.ready(f"{place.url}/readyz")
        yield process


def test_it_joins_and_renews_with_another_key_when_that_is_due(place: Place, control: Process) -> None:
    with place.proxy() as identities:
        until(identities.complete, "a certificate")
        place.now += 14 * 3600
        assert len(place.shown) == 1, "not before two thirds"
        place.now += 3 * 3600
        until(lambda: len(place.shown) == 2, "another one")
    (service, key, chain), (_, other, _) = place.shown
    assert service == "card"
    assert len(chain) == 2
    assert key is not other
    lines = [json.loads(line) for line in (place.folder / "state/authority/audit.log").read_text().splitlines()]
    assert [line["what"] for line in lines] == ["token", "join", "renew"]


def test_without_the_control_plane_it_keeps_what_it_has_and_tries_on(place: Place, control: Process) -> None:
    with place.proxy() as identities:
        until(identities.complete, "a certificate")
        control.kill()
        place.now += 20 * 3600
        until(lambda: identities.failed > 0, "a failed renewal")
        assert identities.complete()
        assert "the one it has is good for" in identities.problem
        place.now += 5 * 3600
        assert not identities.complete()
        with place.control() as again:
            again.ready(f"{place.url}/readyz")

            def joined() -> bool:
                place.now += 1
                return identities.complete()

            until(joined, "a new one, by the node key: the old one has ended")
            until(lambda: identities.problem == "", "it to be on disk, and nothing to complain of")


def test_it_starts_with_what_it_had_before(place: Place, control: Process) -> None:
    with place.proxy() as identities:
        until(identities.complete, "a certificate")
    control.kill()
    with place.proxy() as again:
        assert again.complete()
    assert place.shown[0][2] == place.shown[1][2]
    with place.proxy(b"another secret") as stranger:
        assert not stranger.complete()
    with place.proxy(b"") as nobody:
        assert not nobody.complete()


def test_another_root_is_followed_at_once(place: Place, control: Process) -> None:
    with place.proxy() as identities:
        until(identities.complete, "a certificate")
        with contextlib.closing(Ledger(place.folder / "state/authority", None)) as ledger:
            Authority(ledger, ledger.domain, ledger.terms(), datetime.now(UTC)).rotation.begin(datetime.now(UTC))
        until(lambda: len(_authority(place)["roots"]) == 2, "the control plane to see it")
        assert _authority(place)["rotation"] == {"step": "spreading", "waits_for": ["card-1"]}
        identities.want(lambda *given: place.shown.append(given), snapshot("another root"))

        def renewed() -> bool:
            place.now += 0.1
            return identities.renewed > 1

        until(renewed, "a renewal")


def test_what_is_denied_is_replaced_at_once_by_what_it_joins_with(place: Place, control: Process) -> None:
    with place.proxy() as identities:
        until(identities.complete, "a certificate")
        with contextlib.closing(Ledger(place.folder / "state/authority", None)) as ledger:
            Denials(ledger).deny("card-1", "stolen", datetime.now(UTC))
        identities.want(lambda *given: place.shown.append(given), snapshot(), ["card"])
        assert not identities.complete()

        def joined() -> bool:
            place.now += 0.1
            return identities.complete()

        until(joined, "another certificate")
    lines = [json.loads(line) for line in (place.folder / "state/authority/audit.log").read_text().splitlines()]
    assert [line.get("code", line["what"]) for line in lines] == ["token", "join", "proof_denied", "join"]


def test_a_wrong_clock_is_measured_and_named(
    place: Place, control: Process, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    right = time.time
    with caplog.at_level(logging.WARNING, "whymesh.proxy"):
        monkeypatch.setattr("proxy.identities.time.time", lambda: right() - 600)
        with place.proxy() as identities:
            until(lambda: identities.offset_s < -590, "the clock to be measured")
            until(identities.complete, "a certificate")
    assert "s behind the control plane's" in caplog.text
    assert "by it certificates are not valid yet; set it right" in caplog.text


def test_a_refusal_is_told_in_the_words_of_the_authority_and_a_wrong_clock_with_it(
    place: Place, control: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    right = time.time
    monkeypatch.setattr("proxy.identities.time.time", lambda: right() + 3600)
    (place.folder / "node.key").write_text("whymesh-node.0123456789ab." + "A" * 43)
    with place.proxy() as identities:
        until(lambda: identities.failed > 0, "a refusal")
        assert "no token or node key 0123456789ab with this secret was made here" in identities.problem
        assert re.search(
            r"; the clock of this machine is 3[56]\d\d\.\d s ahead of the control plane's", identities.problem
        )
        (place.folder / "node.key").unlink()

        def named() -> bool:
            place.now += 1
            return "No such file" in identities.problem

        until(named, "the missing file to be named")


def _authority(place: Place) -> Any:
    return json.loads(get(f"{place.url}/v1/authority")[1])


def test_the_lifetimes_of_tokens_are_the_operators(place: Place, control: Process) -> None:
    from proxy.control.authority.passes import Passes

    with contextlib.closing(Ledger(place.folder / "state/authority", None)) as ledger:
        token = Passes(ledger).make("token", ["card-1"], datetime.now(UTC), timedelta(hours=1))
    (place.folder / "node.key").write_text(token)
    with place.proxy() as identities:
        until(identities.complete, "a certificate by a token")
        place.now += 25 * 3600
        until(lambda: "was used before" in identities.problem, "the token to be used up")
