"""Takes what fits together, and says of the rest why it does not.

In: documents as mappings, Services first. Out: those of which a mesh can be made, and one line for each other. Pure.
In a cluster each object is edited by somebody else: a mistake in one is no reason to keep the others back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from proxy.control.configuration import Configuration
from proxy.control.documents import API_VERSION, KINDS, Document, Mesh
from proxy.control.epochs.written import Written
from proxy.control.errors import ConfigRefused
from proxy.control.registry import register

_MESH = Mesh.model_validate({"apiVersion": API_VERSION, "kind": "Mesh", "metadata": {"name": "mesh"}})


@dataclass(frozen=True)
class Admitted:
    """Documents in the order they came, and mistakes of those that are not among them."""

    documents: tuple[Written, ...]
    mistakes: list[str]


def admit(written: Iterable[dict[str, Any]]) -> Admitted:
    """One after the other is left out only when all together are refused, and then only who is refused."""
    mistakes: list[str] = []
    read = [found for one in written if (found := _read(one, mistakes)) is not None]
    if _complaint([one.document for one in read]) is None:
        return Admitted(tuple(read), mistakes)
    taken: list[Written] = []
    for one in read:
        complaint = _complaint([*(each.document for each in taken), one.document])
        if complaint is None:
            taken.append(one)
        else:
            mistakes.append(f"{one.key}: {complaint}")
    return Admitted(tuple(taken), mistakes)


def _read(one: dict[str, Any], mistakes: list[str]) -> Written | None:
    try:
        return Written(KINDS[one["kind"]].model_validate(one), one)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(step) for step in first["loc"])
        mistakes.append(f"{_title(one)}: {path}: {first['msg'].removeprefix('Value error, ')}")
        return None


def _complaint(documents: list[Document]) -> str | None:
    """Why these documents are no mesh."""
    meshes = [document for document in documents if isinstance(document, Mesh)]
    if len(meshes) > 1:
        return f"there is a Mesh already, {meshes[0].full_name}"
    others = tuple(document for document in documents if not isinstance(document, Mesh))
    try:
        register(Configuration(meshes[0] if meshes else _MESH, others))
    except ConfigRefused as error:
        return error.mistakes[0]
    return None


def _title(one: dict[str, Any]) -> str:
    metadata = one["metadata"]
    return f"{one['kind']} {metadata.get('namespace', 'default')}/{metadata['name']}"
