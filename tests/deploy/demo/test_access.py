"""The shop's policies, asked by the code that the proxies run: what its services need is allowed, nothing else is."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from deploy.demo.edge import GATEWAY
from deploy.demo.mesh import first_instances, write
from deploy.demo.topology import BY_NAME, ENTRY, SHOPS
from deploy.local.ports import Ports
from proxy.control.policies.check import Question, check
from proxy.control.reading.read import load
from proxy.control.registry import Registry, register

ROUTES = {(shop.name, route.method, route.path) for shop in SHOPS for route in shop.routes}
NEEDED = {
    (shop.name, call.service, call.method, call.path)
    for shop in SHOPS
    for route in shop.routes
    for stage in route.stages
    for call in stage
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    path = tmp_path_factory.mktemp("shop") / "mesh.yaml"
    write(path, first_instances(), Ports())
    return register(load(path))


def allowed(registry: Registry, caller: str | None, to: str, method: str, path: str) -> bool:
    asked = path.format(id=7, user=3)
    return bool(check(registry, Question(caller=caller, to=to, method=method, path=asked))["allowed"])


def test_each_service_may_ask_what_it_asks_and_no_more(registry: Registry) -> None:
    for caller, (to, method, path) in product([*BY_NAME, GATEWAY, None], ROUTES):
        needed = (caller, to, method, path) in NEEDED or (caller, to) == (GATEWAY, ENTRY)
        assert allowed(registry, caller, to, method, path) is needed, (caller, to, method, path)


def test_outsiders_come_to_the_front_doors_only(registry: Registry) -> None:
    for route in BY_NAME[ENTRY].routes:
        assert allowed(registry, None, GATEWAY, route.method, route.path)
    for method, path in (("GET", "/admin"), ("POST", "/"), ("DELETE", "/checkout"), ("POST", "/_fault")):
        assert not allowed(registry, None, GATEWAY, method, path)
        assert not allowed(registry, GATEWAY, ENTRY, method, path)


def test_everything_is_encrypted_unless_it_is_to_be_plain(tmp_path: Path) -> None:
    write(tmp_path / "mesh.yaml", first_instances(), Ports())
    assert register(load(tmp_path / "mesh.yaml")).mesh.spec.mtls == "strict"
    write(tmp_path / "mesh.yaml", first_instances(), Ports(), secured=False)
    plain = register(load(tmp_path / "mesh.yaml"))
    assert (plain.mesh.spec.mtls, plain.mesh.spec.authority) == ("off", None)
    assert check(plain, Question(to="payments", method="POST", path="/charges"))["policies"] == []
