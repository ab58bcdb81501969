"""What every document has: `apiVersion`, `kind`, `metadata`, `spec`, and nothing unknown."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from proxy.snapshot import Name

API_VERSION = "whymesh.io/v1alpha1"


class Spec(BaseModel):
    """Frozen, keys as people write them (camelCase), and nothing unknown accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Metadata(Spec):
    name: Name
    namespace: Name = "default"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Document(Spec):
    """One document of any kind."""

    api_version: str = Field(alias="apiVersion")
    kind: str
    metadata: Metadata

    @property
    def full_name(self) -> str:
        """The name it has in the mesh: bare in the default namespace, `name.namespace` elsewhere."""
        namespace = self.metadata.namespace
        return self.metadata.name if namespace == "default" else f"{self.metadata.name}.{namespace}"

    @property
    def concerns(self) -> str:
        """The service that a change of this document is told of; empty: the whole mesh."""
        return ""


class OwnDocument(Document):
    """One document of a kind of our own."""

    api_version: Literal["whymesh.io/v1alpha1"] = Field(alias="apiVersion")
