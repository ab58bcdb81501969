"""Two proxies that prove themselves to each other as processes, while leaf, issuer and root change under load."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import rotation
from tests.world.processes import get, until
from tests.world.secured_mesh import SecuredMesh
from tests.world.threaded import Application, serving


@pytest.fixture
def place(tmp_path: Path) -> Iterator[SecuredMesh]:
    with serving(Application()) as app:
        yield SecuredMesh(tmp_path, app.port)


def test_leaf_issuer_and_root_change_under_load_and_no_request_fails(tmp_path: Path) -> None:
    figures = rotation.measure(tmp_path, seconds=0, rate=50, lifetime="24s")
    assert figures.requests > 0
    assert (figures.issuers, figures.roots) == (1, 1)
    assert min(figures.renewals.values()) >= 2, "for the other root, and because a third of a life was left"


def test_whoever_shows_no_certificate_is_refused_where_all_must(place: SecuredMesh) -> None:
    place.write(mtls="strict", authority={})
    with place.started():
        assert place.call() == (200, "hi")
        with pytest.raises((urllib.error.URLError, ConnectionError, OSError)):
            urllib.request.urlopen(f"http://127.0.0.1:{place.back[0]}/", timeout=10)
        place.write(mtls="permissive", authority={})
        until(lambda: get(f"http://127.0.0.1:{place.back[0]}/")[0] == 200, "callers in the clear to be let in")
        assert place.call() == (200, "hi")


def test_whoever_is_denied_joins_again_with_another_key(place: SecuredMesh) -> None:
    place.write(mtls="strict", authority={})
    with place.started():
        assert place.call() == (200, "hi")
        before = {one["proxy"]: one["serial"] for one in place.authority()["certificates"]}
        place.order("deny", before["back-1"], "--reason", "copied")
        until(lambda: newest(place, "back-1") != before["back-1"], "another certificate")
        until(lambda: place.call() == (200, "hi"), "an answer by it")
        assert [one["serial"] for one in place.authority()["denied"]] == [before["back-1"]]


def newest(place: SecuredMesh, proxy: str) -> str:
    """The serial of the certificate that a proxy got last."""
    return next(str(one["serial"]) for one in place.authority()["certificates"] if one["proxy"] == proxy)


def test_proxies_start_again_without_the_control_plane(place: SecuredMesh) -> None:
    place.write(mtls="strict", authority={})
    with place.started() as control:
        assert place.call() == (200, "hi")
        until(lambda: len(list((place.folder / "proxies").glob("*.identity.json"))) == 2, "certificates to be kept")
        control.kill()
    with place.start_proxy("front-1") as front, place.start_proxy("back-1") as back:
        front.ready(f"http://127.0.0.1:{place.front[2]}/readyz")
        back.ready(f"http://127.0.0.1:{place.back[2]}/readyz")
        assert place.call() == (200, "hi")
