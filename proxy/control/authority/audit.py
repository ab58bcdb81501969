"""Who got which certificate, who got none and why: a line of JSON each, told to the collector as well.

In: events as they happen. Out: `audit.log` beside the ledger, `mesh.change` spans (`mesh_changes`).
Never: a secret; or a full disk by somebody who asks in vain all day: refusals beyond some a minute are counted only.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from proxy.control.epochs.change import Change

log = logging.getLogger("whymesh.control")

FILE = "audit.log"
REFUSALS_A_MINUTE = 120
_ROUTINE = ("join", "renew", "token")
"""Nothing becomes another for traffic by these."""
Report = Callable[[Change, str], None]
"""A change and its actor, to the collector."""


@dataclass(frozen=True)
class Event:
    """One thing the authority did; `actor` is who asked for it."""

    what: Literal["join", "renew", "refuse", "rotate", "deny", "undeny", "token", "import"]
    actor: str
    summary: str
    proxy: str = ""
    service: str = ""
    serial: str = ""
    code: str = ""


class Audit:
    """One file, appended to by whole lines; without a folder it is told to the collector only."""

    def __init__(self, folder: Path | None, report: Report) -> None:
        self._path = folder / FILE if folder else None
        self._report = report
        self._minute, self._refusals = 0, 0

    def write(self, event: Event, now: datetime) -> None:
        """Tells of one event; raises OSError when it cannot be written: then it must not happen."""
        more: dict[str, Any] = {}
        if event.what == "refuse":
            minute = int(now.timestamp()) // 60
            if minute != self._minute:
                if (untold := self._refusals - REFUSALS_A_MINUTE) > 0:
                    more["untold"] = untold
                self._minute, self._refusals = minute, 0
            self._refusals += 1
            if self._refusals > REFUSALS_A_MINUTE:
                return
        self._append({"at": now.isoformat(), **_said(event), **more})
        log.log(logging.WARNING if event.what == "refuse" else logging.INFO, "%s (%s)", event.summary, event.actor)
        kind: Literal["certificate", "authority"] = "certificate" if event.what in _ROUTINE else "authority"
        self._report(Change(kind, event.service, event.proxy, "", event.serial, event.summary), event.actor)

    def _append(self, line: dict[str, Any]) -> None:
        if self._path is None:
            return
        whole = json.dumps(line).encode() + b"\n"
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, whole)
        finally:
            os.close(file)


def _said(event: Event) -> dict[str, str]:
    return {name: value for name, value in vars(event).items() if value}
