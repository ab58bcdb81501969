"""The last good snapshot on disk, so that a proxy can start while the control plane is away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SavedSnapshot:
    """One file, replaced whole; without a folder nothing is kept."""

    path: Path | None

    def load(self) -> str | None:
        """The snapshot that was last served, if any."""
        if self.path is None or not self.path.exists():
            return None
        return self.path.read_text(encoding="utf-8")

    def keep(self, snapshot: str) -> None:
        """Writes a snapshot the engine has accepted; readable by this user only."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(snapshot, encoding="utf-8")
        fresh.replace(self.path)
