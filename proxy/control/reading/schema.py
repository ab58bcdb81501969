"""The JSON Schema of mesh.yaml, and of everything in it, made from the models that check it.

In: the kinds. Out: JSON Schema 2020-12, for editors and for the OpenAPI document.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from proxy.control.discovery.instance import Registration
from proxy.control.documents import KINDS

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def definitions(place: str) -> dict[str, Any]:
    """Every model by its name; references lead to `place`, such as `#/$defs/`."""
    models = [(model, "validation") for model in (*KINDS.values(), Registration)]
    _, whole = models_json_schema(models, ref_template=place + "{model}")  # type: ignore[arg-type]
    found: dict[str, Any] = whole["$defs"]
    return found


def of_a_document(place: str) -> dict[str, Any]:
    """A document of any kind, told apart by `kind`."""
    return {"oneOf": [{"$ref": place + model.__name__} for model in KINDS.values()]}


def mesh_schema() -> dict[str, Any]:
    """The schema of one document of a mesh.yaml."""
    place = "#/$defs/"
    return {
        "$schema": _DRAFT,
        "title": "A document of a whymesh configuration",
        **of_a_document(place),
        "$defs": definitions(place),
    }
