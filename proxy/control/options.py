"""What a control plane is told when it is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Of one control plane; `url` is where others reach it; `listen`, `tls`, `dns`, `token`, `operator` and `inject`
    are empty for none."""

    path: Path | None
    kubernetes: bool
    listen: str
    tls: str
    dns: str
    state: Path | None
    url: str
    telemetry: str
    token: str
    operator: str
    reviews: bool
    kubeconfig: str | None
    inject: str

    @property
    def kept_at(self) -> Path | None:
        """Where the configuration is."""
        return self.path or self.state

    @property
    def reached_at(self) -> str:
        """The address that proxies come to, as the operator wrote it."""
        return self.listen or self.tls
