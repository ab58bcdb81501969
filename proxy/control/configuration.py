"""All documents of a mesh, each valid by itself; what they mean together is the registry's matter.

In: documents as they are written. Out: the `Mesh`, and all others in their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from proxy.control.documents import API_VERSION, Document, Mesh
from proxy.control.epochs.written import Written
from proxy.control.errors import ConfigRefused

_DEFAULT = Mesh.model_validate({"apiVersion": API_VERSION, "kind": "Mesh", "metadata": {"name": "mesh"}})


@dataclass(frozen=True)
class Configuration:
    """The `Mesh`, by default one that says nothing, and all other documents."""

    mesh: Mesh
    documents: tuple[Document, ...]


def assembled(written: Iterable[Written], where: str) -> Configuration:
    """Raises ConfigRefused, beginning with `where`, when there are several Meshes."""
    documents = [one.document for one in written]
    meshes = [document for document in documents if isinstance(document, Mesh)]
    if len(meshes) > 1:
        raise ConfigRefused([f"{where}: {len(meshes)} documents of kind Mesh: there can be one"])
    others = tuple(document for document in documents if not isinstance(document, Mesh))
    return Configuration(mesh=meshes[0] if meshes else _DEFAULT, documents=others)
