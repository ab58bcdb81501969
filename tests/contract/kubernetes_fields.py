"""What a manifest says that its kind does not know, by the client library's models, which are made from Kubernetes' own
OpenAPI document.

In: an object as YAML has it. Out: one line for each field that is unknown, missing, or of another type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kubernetes_asyncio.client import Configuration, models

_PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float)}
KINDS = {
    "Namespace": "V1Namespace", "ServiceAccount": "V1ServiceAccount", "ClusterRole": "V1ClusterRole",
    "ClusterRoleBinding": "V1ClusterRoleBinding", "PersistentVolumeClaim": "V1PersistentVolumeClaim",
    "Deployment": "V1Deployment", "Service": "V1Service", "Pod": "V1Pod",
    "MutatingWebhookConfiguration": "V1MutatingWebhookConfiguration",
    "CustomResourceDefinition": "V1CustomResourceDefinition",
}  # fmt: skip


def mistakes(manifest: dict[str, Any]) -> list[str]:
    """Of one object of a kind of Kubernetes."""
    return list(_object(manifest, KINDS[manifest["kind"]], manifest["kind"]))


def _object(value: Any, name: str, where: str) -> Iterator[str]:
    model = getattr(models, name)
    if not isinstance(value, dict):
        yield f"{where}: expected a mapping"
        return
    spelt = {json: python for python, json in model.attribute_map.items()}
    for key in value.keys() - spelt.keys():
        yield f"{where}.{key}: unknown field"
    for key in value.keys() & spelt.keys():
        yield from _value(value[key], model.openapi_types[spelt[key]], f"{where}.{key}")
    yield from _missing(model, {spelt[key] for key in value.keys() & spelt.keys()}, where)


def _missing(model: Any, given: set[str], where: str) -> Iterator[str]:
    """The models refuse None for what is required."""
    made = model(local_vars_configuration=_UNCHECKED)
    made.local_vars_configuration = Configuration()
    for name in model.attribute_map.keys() - given:
        try:
            setattr(made, name, None)
        except ValueError:
            yield f"{where}.{model.attribute_map[name]}: missing"


def _value(value: Any, kind: str, where: str) -> Iterator[str]:
    if found := re.fullmatch(r"list\[(.*)\]", kind):
        if not isinstance(value, list):
            yield f"{where}: expected a list"
            return
        for place, one in enumerate(value):
            yield from _value(one, found[1], f"{where}[{place}]")
    elif found := re.fullmatch(r"dict\((\w+), (.*)\)", kind):
        for key, one in value.items():
            yield from _value(one, found[2], f"{where}.{key}")
    elif hasattr(models, kind):
        yield from _object(value, kind, where)
    elif kind in _PLAIN and (not isinstance(value, _PLAIN[kind]) or (kind == "int" and isinstance(value, bool))):
        yield f"{where}: expected {kind}, found {value!r}"


_UNCHECKED = Configuration()
_UNCHECKED.client_side_validation = False
