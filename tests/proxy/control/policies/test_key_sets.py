"""Key sets by URL: fetched into the snapshot, kept while the issuer is away and over a restart, changes told of."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from proxy.control.compile import compile_snapshot
from proxy.control.discovery.assemble import Discovered, assemble
from proxy.control.epochs.changes import changes_between
from proxy.control.errors import ConfigRefused
from proxy.control.policies.key_sets import LONGEST, KeySets
from proxy.control.reading.read import Configuration, load
from tests.world import meshes
from tests.world.apps import app
from tests.world.otlp_sink import eventually
from tests.world.tokens import SigningKey, key_set

CART = meshes.service("cart", meshes.endpoint("cart-1", sidecar=meshes.sidecar(1, 2, 3)))


def written(tmp_path: Path, **issuer: Any) -> Configuration:
    document = {
        "apiVersion": meshes.API_VERSION,
        "kind": "RequestAuthentication",
        "metadata": {"name": "users"},
        "spec": {"targetRef": {"name": "cart"}, "issuers": [{"issuer": "me", **issuer}]},
    }
    return load(meshes.write(tmp_path / "mesh.yaml", CART, document))


@dataclass
class Issuer:
    """Answers with these bytes, or with this status."""

    body: str = ""
    status: int = 200
    asked: int = 0
    url: str = ""
    told: list[Mapping[str, str]] = field(default_factory=list)

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(text=self.body, status=self.status)

    async def learn(self, known: Mapping[str, str]) -> None:
        self.told.append(known)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    made = Issuer(key_set(SigningKey.make("ES256")))
    async with app(made.answer) as address:
        made.url = f"http://{address}/jwks"
        yield made


@contextlib.asynccontextmanager
async def fetching(key_sets: KeySets, issuer: Issuer) -> AsyncIterator[None]:
    task = asyncio.create_task(key_sets.run(issuer.learn))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_what_is_fetched_reaches_the_proxies_and_changes_are_told(tmp_path: Path, issuer: Issuer) -> None:
    configuration = written(
        tmp_path, jwksUrl=issuer.url, refresh="1s", claimHeaders=[{"header": "X-U", "claim": "sub"}]
    )
    before = assemble(configuration, Discovered()).registry
    key_sets = KeySets()
    key_sets.follow(before)
    async with fetching(key_sets, issuer):
        await eventually(lambda: issuer.told, "the first set")
        first, issuer.body = issuer.body, key_set(SigningKey.make("EdDSA"))
        await eventually(lambda: len(issuer.told) == 2, "the set after a rotation")
    assert [told[issuer.url] for told in issuer.told] == [first, issuer.body]
    after = assemble(configuration, Discovered(key_sets=dict(issuer.told[0]))).registry
    part = compile_snapshot(after, "cart-1", 1).workloads[0].authorization
    assert part is not None
    assert part.tokens is not None
    assert part.tokens.issuers[0].model_dump() == {
        "issuer": "me",
        "audiences": (),
        "jwks": first,
        "leeway_s": 60,
        "header": "authorization",
        "forward": True,
        "claim_headers": (("x-u", "sub"),),
    }
    assert [change.summary for change in changes_between(before, after)] == [f"keys of {issuer.url} fetched"]


@pytest.mark.parametrize("broken", ["", "{}", '{"keys": []}', "x" * (LONGEST + 1)])
async def test_the_last_good_set_stays_and_outlives_a_restart(tmp_path: Path, issuer: Issuer, broken: str) -> None:
    registry = assemble(written(tmp_path, jwksUrl=issuer.url, refresh="1s"), Discovered()).registry
    kept = tmp_path / "state" / "key-sets.json"
    key_sets, good = KeySets.kept(kept), issuer.body
    key_sets.follow(registry)
    async with fetching(key_sets, issuer):
        await eventually(lambda: issuer.told, "the first set")
        issuer.body, issuer.status = broken, 200 if broken else 503
        await eventually(lambda: key_sets.problems, "a problem")
    assert len(issuer.told) == 1
    assert key_sets.known == KeySets.kept(kept).known == {issuer.url: good}


async def test_what_is_not_named_any_longer_is_not_asked_for(tmp_path: Path, issuer: Issuer) -> None:
    named = assemble(written(tmp_path, jwksUrl=issuer.url, refresh="1s"), Discovered()).registry
    inline = assemble(written(tmp_path, jwks=issuer.body), Discovered()).registry
    key_sets = KeySets()
    async with fetching(key_sets, issuer):
        key_sets.follow(inline)
        key_sets.follow(named)
        await eventually(lambda: issuer.told, "the first set")
        key_sets.follow(inline)
        assert key_sets._wanted == {}
        await eventually(lambda: not key_sets._changed.is_set(), "the change to be seen")


def test_a_file_that_is_not_ours_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key-sets.json"
    path.write_text("[]")
    with pytest.raises(ValueError, match="not a file this control plane wrote"):
        KeySets.kept(path)


@pytest.mark.parametrize(
    ("issuer", "mistake"),
    [
        ({}, "expected jwks or jwksUrl"),
        ({"jwksUrl": "http://id.example.com/"}, "expected an https URL"),
        ({"jwks": {"keys": []}}, "has no key that can be used"),
        ({"jwks": "x"}, "is not a JSON Web Key Set"),
        ({"jwksUrl": "https://a/", "claimHeaders": [{"header": "Host", "claim": "a"}]}, "cannot be edited"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, issuer: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ConfigRefused, match=mistake):
        written(tmp_path, **issuer)
