"""Where an authority keeps what it knows, and what seals it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

FOLDER = "authority"
SECRET = "WHYMESH_CA_SECRET"  # noqa: S105  (the name of a variable)


@dataclass(frozen=True)
class Safe:
    """A state folder, the secret of its keys, and a file for the key by which proxies of the same machine join."""

    state: Path | None
    secret: bytes | None = field(default=None, repr=False)
    node_key: Path | None = None

    @property
    def folder(self) -> Path | None:
        """The authority's part of the state."""
        return self.state / FOLDER if self.state else None


def secret_of(file: TextIO | None) -> bytes | None:
    """What an operator gives to seal keys: in a file, or in the environment; None when nothing."""
    given = (file.read() if file else os.environ.get(SECRET, "")).strip()
    return given.encode() or None
