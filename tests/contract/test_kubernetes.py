"""The manifests are what the code says: definitions from models, options that commands have, rights that suffice."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import jsonschema
import pytest
import yaml

from deploy.cli import main
from proxy.control.documents import API_VERSION, KINDS
from proxy.control.kubernetes import source
from proxy.control.kubernetes.crds import definitions, manifest
from proxy.control.kubernetes.injection import bundle
from tests.contract import kubernetes_fields

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
MANIFESTS = [(file.name, one) for file in sorted(FOLDER.glob("*.yaml")) for one in yaml.safe_load_all(file.read_text())]


def schemas() -> dict[str, Any]:
    return {
        one["spec"]["names"]["kind"]: one["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for one in definitions()
    }


def test_the_definitions_are_those_of_the_models() -> None:
    again = "python -m proxy.control.kubernetes.crds > deploy/kubernetes/crds.yaml"
    assert (FOLDER / "crds.yaml").read_text() == manifest(), f"made of other models: run {again}"


def nodes(schema: Any) -> list[dict[str, Any]]:
    """Every schema in a schema."""
    inside = [schema[key] for key in ("items", "additionalProperties") if key in schema]
    below = [*schema.get("properties", {}).values(), *inside]
    return [schema, *(node for part in below for node in nodes(part))]


@pytest.mark.parametrize("kind", sorted(schemas()))
def test_a_definition_is_structural_and_knows_every_field(kind: str) -> None:
    """The rules of apiextensions.k8s.io/v1: a type everywhere, no references, not both kinds of fields."""
    for node in nodes(schemas()[kind]):
        assert node.get("type") or node.get("x-kubernetes-preserve-unknown-fields"), node
        assert not {"$ref", "anyOf", "oneOf", "allOf", "const", "default", "title", "prefixItems"} & node.keys()
        assert not {"properties", "additionalProperties"} <= node.keys()
        assert node.get("type") != "array" or "items" in node
        assert "(?" not in node.get("pattern", "").replace("(?:", ""), "Go's expressions look neither ahead nor behind"
        assert not isinstance(node.get("exclusiveMinimum"), int) or node["exclusiveMinimum"] is True
    model = KINDS[kind].model_json_schema(by_alias=True)
    spec = model["$defs"].get(str(model["properties"]["spec"].get("$ref", "")).rpartition("/")[2], {})
    assert set(schemas()[kind]["properties"]["spec"].get("properties", {})) == set(spec.get("properties", {}))


def test_every_kind_of_ours_has_a_definition() -> None:
    own = {kind for kind, model in KINDS.items() if API_VERSION in str(model.model_fields["api_version"].annotation)}
    assert set(schemas()) == own


def test_documents_that_the_models_take_the_definitions_take() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", (FOLDER.parents[1] / "README.md").read_text(), re.S)
    documents = [one for example in examples for one in yaml.safe_load_all(example)]
    documents += [one for _, one in MANIFESTS if one["apiVersion"] == API_VERSION]
    checked = [one for one in documents if one["kind"] in schemas()]
    assert len(checked) >= 4
    for document in checked:
        KINDS[document["kind"]].model_validate(document)
        jsonschema.validate({"spec": document["spec"]}, _draft4(schemas()[document["kind"]]))
    wrong = {"spec": {"endpoints": [{"instance": "a", "app": 80}]}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, _draft4(schemas()["Service"]))


@pytest.mark.parametrize(("file", "one"), MANIFESTS, ids=[f"{file}: {one['kind']}" for file, one in MANIFESTS])
def test_every_object_is_one_of_its_kind(file: str, one: dict[str, Any]) -> None:
    if one["apiVersion"] == API_VERSION:
        KINDS[one["kind"]].model_validate(one)
    else:
        assert kubernetes_fields.mistakes(one) == [], file


def test_an_object_with_mistakes_is_told_them() -> None:
    (wrong,) = [
        copy.deepcopy(one) for file, one in MANIFESTS if (file, one["kind"]) == ("telemetry.yaml", "Deployment")
    ]
    container = wrong["spec"]["template"]["spec"]["containers"][0]
    container["volumeMount"] = container.pop("volumeMounts")
    container["ports"][0]["containerPort"] = "4317"
    del container["name"]
    at = "Deployment.spec.template.spec.containers[0]"
    assert sorted(kubernetes_fields.mistakes(wrong)) == [
        f"{at}.name: missing",
        f"{at}.ports[0].containerPort: expected int, found '4317'",
        f"{at}.volumeMount: unknown field",
    ]


def _draft4(schema: Any) -> Any:
    """As the validator reads bounds the way that Kubernetes does (OpenAPI 3.0 has those of JSON Schema draft 4)."""
    return {"$schema": "http://json-schema.org/draft-04/schema#", **schema}


def commands() -> list[tuple[str, list[str]]]:
    found = []
    for file, one in MANIFESTS:
        pod = one.get("spec", {}).get("template", {}).get("spec", {}) if one["kind"] == "Deployment" else {}
        for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
            if container["image"].startswith("whymesh:"):
                found.append((f"{file}: {container['name']}", container["command"]))
    return found


@pytest.mark.parametrize(("where", "line"), commands(), ids=[where for where, _ in commands()])
def test_every_command_line_is_one_that_its_command_takes(where: str, line: list[str]) -> None:
    program, name, *options = line
    assert program == "whymesh"
    with main.make_context("whymesh", [name]) as context:
        command = main.get_command(context, name)
    assert command
    parser = command.make_parser(click.Context(command))
    _, left, _ = parser.parse_args(list(options))
    assert left == []


def test_the_rights_are_those_of_what_is_watched() -> None:
    (role,) = [one for _, one in MANIFESTS if one["kind"] == "ClusterRole"]
    allowed = {
        (group, resource)
        for rule in role["rules"]
        if {"list", "watch"} <= set(rule["verbs"])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    routes = {("gateway.networking.k8s.io", plural) for plural in source.ROUTES.values()}
    assert allowed == routes | {
        *(("", "services"), ("", "pods"), ("discovery.k8s.io", "endpointslices"), ("whymesh.io", "*")),
    }
    others = [rule for rule in role["rules"] if set(rule["verbs"]) != {"list", "watch"}]
    review = {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
    webhook = {"apiGroups": ["admissionregistration.k8s.io"], "resources": ["mutatingwebhookconfigurations"]}
    assert others == [review, {**webhook, "resourceNames": [bundle.NAME], "verbs": ["get", "patch"]}], "no other change"


def test_the_webhook_is_where_the_control_plane_serves_it_and_blocks_nobody() -> None:
    (configuration,) = [one for _, one in MANIFESTS if one["kind"] == "MutatingWebhookConfiguration"]
    (service,) = [
        one for _, one in MANIFESTS if one["metadata"]["name"] == "whymesh-control" and one["kind"] == "Service"
    ]
    (line,) = [line for where, line in commands() if where == "control.yaml: control"]
    url = urlsplit(line[line.index("--url") + 1])
    metadata = service["metadata"]
    assert configuration["metadata"]["name"] == bundle.NAME
    assert url.hostname == f"{metadata['name']}.{metadata['namespace']}.svc", "what the API server looks for"
    assert url.port in {port["port"] for port in service["spec"]["ports"]}
    for webhook in configuration["webhooks"]:
        assert webhook["failurePolicy"] == "Ignore"
        reached = {"name": metadata["name"], "namespace": metadata["namespace"], "port": url.port, "path": "/v1/inject"}
        assert webhook["clientConfig"] == {"service": reached}
