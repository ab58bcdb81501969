"""One document as somebody wrote it, beside what it means.

In: a mapping of JSON values. Out: the same with its model. Never: a value that JSON does not have; what is written is
kept, compared and given back as JSON.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from proxy.control.documents import Document

Origin = Literal["file", "api"]


class Key(NamedTuple):
    """What tells a document from all others of the mesh."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True)
class Written:
    """Equal to another when both mean the same, however they are spelled."""

    document: Document
    raw: dict[str, Any] = field(compare=False, repr=False)
    origin: Origin = field(default="file", compare=False)

    @property
    def key(self) -> Key:
        """Its name in the configuration."""
        return key_of(self.document)

    @cached_property
    def text(self) -> str:
        """As JSON, in one way only."""
        return json.dumps(self.raw, sort_keys=True, separators=(",", ":"))

    @cached_property
    def fingerprint(self) -> str:
        """Another one for each other text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def key_of(document: Document) -> Key:
    """The key of a document."""
    return Key(document.kind, document.metadata.namespace, document.metadata.name)
