"""Keeps the epoch over a restart, so that it only ever grows.

In: epoch and the digest of its configuration. Out: a small JSON file, replaced whole.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from proxy.control.registry import Registry


def digest(registry: Registry) -> str:
    """SHA-256 over the meaning of what is in force, so that a comment is not a change."""
    whole = hashlib.sha256(registry.mesh.model_dump_json().encode())
    for document in registry.documents:
        whole.update(document.model_dump_json().encode())
    for instance in sorted(registry.left_out):
        whole.update(b"\0" + instance.encode())
    if registry.trust:
        whole.update(repr(registry.trust).encode())
    return whole.hexdigest()


@dataclass(frozen=True)
class EpochFile:
    """Where the last epoch is written; without a path epochs start at 1 with the process."""

    path: Path | None

    def first(self, of: str) -> int:
        """The epoch to start with: the last one when the configuration is the same, else the next."""
        if self.path is None or not self.path.exists():
            return 1
        try:
            kept = json.loads(self.path.read_text())
            last, same = int(kept["epoch"]), kept["digest"] == of
            return last if same else last + 1
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.path}: not a file this control plane wrote ({error}); remove it to start at 1"
            ) from error

    def keep(self, epoch: int, of: str) -> None:
        """Writes the epoch, whole or not at all."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({"epoch": epoch, "digest": of}))
        fresh.replace(self.path)
