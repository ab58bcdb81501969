"""Real traffic through real proxies into a real store: the policies it needs, and what other configurations change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from click.testing import CliRunner, Result

from deploy.policies.command import command as policy
from deploy.policies.plan import command as plan
from proxy.snapshot.authorization import AccessPolicy, AccessRule, Authorization
from proxy.snapshot.gate import Asked
from proxy.snapshot.routes import PathMatch
from tests.world import meshes
from tests.world.apps import app, echo
from tests.world.collectors import Collector, collector
from tests.world.engines import sidecar, upstream
from tests.world.processes import until

FRONT = meshes.service("front", meshes.endpoint("front-1", sidecar=meshes.sidecar(1, 2, 3)))
BACK = meshes.service("back", meshes.endpoint("back-1", sidecar=meshes.sidecar(4, 5, 6)))
ASKED = [("GET", "/orders/1"), ("GET", "/orders/2"), ("POST", "/orders"), ("GET", "/admin")]
NO_ADMIN = AccessRule(name="no/0", matches=(Asked(path=PathMatch(kind="exact", value="/admin")),))


@dataclass
class Recorded:
    """A collector that holds the requests of ASKED, the last of them denied."""

    collector: Collector
    folder: Path

    @property
    def store(self) -> str:
        return f"clickhouse://127.0.0.1:{self.collector.ports['clickhouse_native']}/otel"

    def plan(self, *documents: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
        """Exit code, and the flows that would change."""
        file = meshes.write(self.folder / "new.yaml", FRONT, BACK, *documents)
        result = CliRunner().invoke(plan, [str(file), "--store", self.store, "--json"])
        return result.exit_code, [json.loads(line) for line in result.output.splitlines()]

    def suggested(self) -> Result:
        return CliRunner().invoke(policy, ["suggest", "--store", self.store, "--since", "1h", "--enforce"])


async def make_traffic(telemetry: str) -> None:
    """Sends the requests of ASKED from `front` to `back`, and returns once their spans are with the collector."""
    deny = AccessPolicy(name="no", action="deny", rules=(NO_ADMIN,))
    everything = AccessPolicy(name="all", rules=(AccessRule(name="all/0"),))
    async with (
        app(echo) as address,
        sidecar("back", app=address, telemetry=telemetry) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=telemetry) as front,
        aiohttp.ClientSession() as session,
    ):
        part = Authorization(service="back", ports=(80,), policies=(deny, everything))
        await back.change(authorization=part)
        for method, path in ASKED:
            async with session.request(method, f"http://back{path}", proxy=front.proxy) as response:
                await response.read()
        for proxy in (front, back):
            await proxy.idle()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("plan")
    with collector(folder / "collector") as running:
        asyncio.run(make_traffic(running.url("http", "/v1/traces")))
        counted = "SELECT count() FROM otel.otel_traces WHERE ScopeName = 'whymesh.proxy'"
        until(lambda: running.query(counted) == [(2 * len(ASKED),)], "the spans")
        yield Recorded(running, folder)


def test_what_traffic_needs_is_allowed_and_nothing_else(recorded: Recorded) -> None:
    suggested = recorded.suggested()
    assert suggested.exit_code == 0, suggested.output
    (document,) = yaml.safe_load_all(suggested.output)
    assert document["spec"] == {
        "targetRef": {"name": "back"},
        "mode": "Enforce",
        "rules": [
            {
                "name": "front",
                "callers": [{"name": "front", "namespace": "default"}],
                "matches": [
                    {"method": "GET", "path": {"type": "Template", "value": "/orders/{id}"}},
                    {"method": "POST", "path": {"type": "Exact", "value": "/orders"}},
                ],
            }
        ],
    }, "what was denied is not needed"
    file = str(meshes.write(recorded.folder / "mesh.yaml", FRONT, BACK, document))
    for method, path in [*ASKED, ("PUT", "/orders")]:
        asked = ("--from", "front", "--to", "back", "--method", method, "--path", path)
        allowed = CliRunner().invoke(policy, ["check", "-f", file, *asked]).exit_code == 0
        assert allowed == ((method, path) in ASKED[:-1]), (method, path)
    code, changed = recorded.plan(document)
    assert (code, changed) == (0, []), "it changes nothing of what was recorded"


def test_a_decision_that_would_be_another_is_told(recorded: Recorded) -> None:
    code, changed = recorded.plan(meshes.access("back", "back", {"matches": [{"method": "GET"}]}))
    assert code == 1
    told = {(one["request"], one["before"], one["after"]) for one in changed}
    assert told == {("POST /orders", "allowed", "denied"), ("GET /admin", "denied", "allowed")}
    (post,) = [one for one in changed if one["request"] == "POST /orders"]
    assert post["why"] == "not_allowed by back/0: request POST /orders, not GET any path"
    assert (post["caller"], post["to"], post["count"], len(post["trace"])) == ("front", "back", 1, 32)


def test_a_route_that_would_be_another_is_told(recorded: Recorded) -> None:
    closed = meshes.access("back", "back", {"matches": [{"path": {"value": "/orders"}}]})
    rule = {"name": "one", "matches": [{"path": {"value": "/orders/1"}}], "backendRefs": meshes.backends("back")}
    code, changed = recorded.plan(closed, meshes.route("back", "back", rule))
    assert code == 1
    assert {(one["what"], one["request"], one["before"], one["after"]) for one in changed} == {
        ("route", "GET /orders/1", "no rule", "back/one"),
        ("route", "GET /orders/2", "no rule", "no_route"),
        ("route", "POST /orders", "no rule", "no_route"),
        ("route", "GET /admin", "no rule", "no_route"),
    }


def test_people_are_told_the_same_in_words(recorded: Recorded) -> None:
    closed = meshes.write(recorded.folder / "closed.yaml", FRONT, BACK, meshes.access("back", "back"))
    shown = CliRunner().invoke(plan, [str(closed), "--store", recorded.store])
    assert shown.exit_code == 1
    assert "4 requests since 1:00:00 ago; 3 flows would change" in shown.output
    assert "decision: allowed -> denied  (not_allowed by back: there is no rule that allows anything)" in shown.output


def test_a_mistake_and_a_store_that_is_away_are_told_apart(recorded: Recorded, tmp_path: Path) -> None:
    broken = meshes.write(tmp_path / "broken.yaml", FRONT, meshes.access("x", "nobody"))
    assert CliRunner().invoke(plan, [str(broken), "--store", recorded.store]).exit_code == 2
    sound = meshes.write(tmp_path / "sound.yaml", FRONT, BACK)
    away = CliRunner().invoke(plan, [str(sound), "--store", "clickhouse://127.0.0.1:1/otel"])
    assert away.exit_code == 3
    assert CliRunner().invoke(plan, [str(sound), "--since", "soon"]).exit_code == 2
    assert CliRunner().invoke(policy, ["suggest", "--store", "clickhouse://127.0.0.1:1/otel"]).exit_code == 3
