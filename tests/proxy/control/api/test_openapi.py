"""The OpenAPI document says what the API is, and the schema of mesh.yaml what is taken."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

from proxy.control.api.openapi import described
from proxy.control.api.policies import PolicyDoor
from proxy.control.api.recording import RecordingDoor
from proxy.control.authority.door import IdentityDoor
from proxy.control.discovery.door import InstanceDoor
from proxy.control.documents import KINDS
from proxy.control.health.door import HealthDoor
from proxy.control.reading.schema import mesh_schema
from tests.proxy.control.api.test_config import CART, FRONT, weighted
from tests.world.controls import control


async def test_every_operation_is_described_and_no_other() -> None:
    async with control(FRONT) as plane:
        status, document = await plane.ask("GET", "/v1/openapi.json")
        assert status == 200
        app = plane.app
    nobody: Any = None  # to list routes takes nothing of what answers them
    doors = (
        InstanceDoor(nobody, nobody),
        HealthDoor(nobody, nobody, nobody, nobody),
        IdentityDoor(nobody),
        PolicyDoor(nobody, nobody),
        RecordingDoor(nobody, nobody, nobody),
    )
    served = {(route.method.lower(), route.path) for door in doors for route in door.routes()} | {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.method != "HEAD" and route.resource and route.resource.canonical.startswith("/v1/")
    }
    assert {(method, path) for path, item in document["paths"].items() for method in item} == served


def test_every_reference_leads_somewhere_and_every_schema_is_one() -> None:
    document = described()
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    assert {reference.rpartition("/")[2] for reference in _references(document)} <= schemas.keys()
    assert {kind.__name__ for kind in KINDS.values()} <= schemas.keys()


def test_the_schema_of_mesh_yaml_takes_what_is_taken() -> None:
    validator = Draft202012Validator(mesh_schema())
    for document in (FRONT, CART, weighted(1, 2)):
        validator.validate(document)
    assert not validator.is_valid({**CART, "kind": "Servcie"})
    assert not validator.is_valid({**CART, "spec": {"timeuot": "1s"}})


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_references(part) for part in value.values()))
    return set().union(*(_references(part) for part in value)) if isinstance(value, list) else set()
