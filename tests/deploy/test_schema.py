"""`whymesh schema` prints what a server needs, and what an editor needs."""

from __future__ import annotations

import json

import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from deploy.schema import command
from tests.world import meshes


def test_the_schema_of_mesh_yaml_is_for_editors() -> None:
    validator = Draft202012Validator(json.loads(CliRunner().invoke(command, ["mesh"]).output))
    cart = yaml.safe_load(yaml.safe_dump(meshes.service("cart", meshes.endpoint("cart-1"), timeout="2s")))
    validator.validate(cart)
    cart["spec"]["timeuot"] = "2s"
    assert not validator.is_valid(cart)


def test_without_more_it_is_the_sql_of_the_tables() -> None:
    ran = CliRunner().invoke(command, ["--cluster", "prod"])
    assert "CREATE TABLE IF NOT EXISTS otel.otel_traces ON CLUSTER" in ran.output
    assert CliRunner().invoke(command, ["--sharded"]).exit_code == 2
