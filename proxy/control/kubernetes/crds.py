"""CustomResourceDefinitions of our kinds, from the models that check their documents.

In: the models. Out: manifests; `python -m proxy.control.kubernetes.crds` makes deploy/kubernetes/crds.yaml of them.
The schema of a definition is "structural": no references, one type for each field. Where a model takes several forms,
what the API server checks is less than what the control plane does.
"""

from __future__ import annotations

import sys
from typing import Any

import yaml

from proxy.control.documents import API_VERSION, KINDS
from proxy.control.kubernetes.source import OWN

Schema = dict[str, Any]
_ANYTHING: Schema = {"x-kubernetes-preserve-unknown-fields": True}
_KEPT = (
    "type",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "description",
)


def definitions() -> list[Schema]:
    """One for each kind of ours, in the order of the documents' kinds."""
    group, _, version = API_VERSION.partition("/")
    return [
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
                "scope": "Namespaced",
                "versions": [
                    {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": _whole(kind)}}
                ],
            },
        }
        for kind, plural in OWN.items()
    ]


def _whole(kind: str) -> Schema:
    """The schema of a kind; the API server knows `metadata` by itself."""
    schema = KINDS[kind].model_json_schema(by_alias=True)
    spec = _structural(schema["properties"]["spec"], schema.get("$defs", {}))
    required = [name for name in schema.get("required", ()) if name == "spec"]
    return {"type": "object", "properties": {"spec": spec}} | ({"required": required} if required else {})


def _structural(part: Schema, named: dict[str, Schema]) -> Schema:
    if "$ref" in part:
        return _structural(named[part["$ref"].rpartition("/")[2]], named)
    if len(part.get("allOf", ())) == 1:
        return _structural(part["allOf"][0], named)
    if forms := part.get("anyOf", part.get("oneOf")):
        some = [form for form in forms if form != {"type": "null"}]
        made = _structural(some[0], named) if len(some) == 1 else dict(_ANYTHING)
        return made if len(some) == len(forms) else made | {"nullable": True}
    if "type" not in part and "enum" not in part and "const" not in part:
        return dict(_ANYTHING)
    made = {key: part[key] for key in _KEPT if key in part}
    if "const" in part:
        made |= {"type": "string", "enum": [part["const"]]}
    for bound, least in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if bound in part:
            made |= {least: part[bound], bound: True}
    if made.get("type") == "array":
        made["items"] = _structural(part["items"], named) if "items" in part else dict(_ANYTHING)
    if made.get("type") == "object":
        made |= _fields(part, named)
    return made


def _fields(part: Schema, named: dict[str, Schema]) -> Schema:
    """What an object holds: fields of their own names, or any name with values of one form."""
    fields = {name: _structural(field, named) for name, field in part.get("properties", {}).items()}
    if not fields:
        values = part.get("additionalProperties")
        return {"additionalProperties": _structural(values, named)} if isinstance(values, dict) else {}
    required = part.get("required", [])
    return {"properties": fields} | ({"required": required} if required else {})


def manifest() -> str:
    """All of them as one file."""
    head = "# Made by `python -m proxy.control.kubernetes.crds > deploy/kubernetes/crds.yaml`.\n"
    return head + yaml.safe_dump_all(definitions(), sort_keys=False, width=120)


if __name__ == "__main__":
    sys.stdout.write(manifest())
