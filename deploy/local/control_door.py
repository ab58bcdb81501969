"""How the parts of a run reach its control plane: over TLS where the mesh has an authority, else in the clear.

In: ports and folders of the run, and whether it is secured. Out: options of processes, an address, and what clients
need: by what they know the control plane, and what the user who started it shows. Pure but for `trust`.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from deploy.local.ports import Ports
from deploy.local.state import RunFolder, Running


@dataclass(frozen=True)
class ControlDoor:
    """The door of one run's control plane."""

    ports: Ports
    folder: RunFolder
    secured: bool

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"{'https' if self.secured else 'http'}://{self.ports.address('control')}"

    @property
    def roots(self) -> Path | None:
        """The file of roots by which it is known, which it writes before it is ready; None in the clear."""
        return self.folder.control / "authority" / "roots.pem" if self.secured else None

    @property
    def operator_key(self) -> Path | None:
        """What the user who started the run shows; None where being on this machine is enough."""
        return self.folder.control / "operator.key" if self.secured else None

    def opened_by(self) -> tuple[str, ...]:
        """Options of `whymesh control`."""
        address = self.ports.address("control")
        if not self.secured:
            return ("--listen", address)
        return ("--listen", "", "--tls", address, "--operator-key", str(self.operator_key))

    def reached_by(self) -> tuple[str, ...]:
        """Options of `whymesh proxy`."""
        return ("--control", self.url, *(("--control-root", str(self.roots)) if self.roots else ()))

    def asked_by(self) -> tuple[str, ...]:
        """Options of `whymesh rootcause`."""
        return (*self.reached_by(), *(("--control-token", str(self.operator_key)) if self.operator_key else ()))

    def trust(self) -> ssl.SSLContext | bool:
        """As aiohttp takes it: by what the server is known; raises OSError before there are roots."""
        return ssl.create_default_context(cafile=self.roots) if self.roots else True

    def announced(self, pid: int, faults: str = "") -> Running:
        """What other commands need to know of the run."""
        told = {"control_root": str(self.roots or ""), "operator_key": str(self.operator_key or "")}
        return Running(pid, self.ports.url("rootcause"), self.ports.store, faults, self.url, **told)
