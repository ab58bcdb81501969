"""What a control plane is told when it is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Of one control plane; `url` is where others reach it; `tls`, `dns`, `token` and `inject` are empty for
    none."""

    path: Path | None
    kubernetes: bool
    listen: str
    tls: str
    dns: str
    state: Path | None
    url: str
    telemetry: str
    token: str
    reviews: bool
    kubeconfig: str | None
    inject: str
