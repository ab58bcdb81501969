"""Registers an instance with the control plane and keeps its lease, for as long as the process lives.

In: a registration as JSON. Out: the instance in the snapshots of its callers. Standard library only.
Never: gives up; a control plane that is away, or has forgotten the instance, is told again.
"""

from __future__ import annotations

import json
import logging
import random
import threading
from dataclasses import dataclass
from urllib.parse import quote

from proxy.subscribe import ControlPlane

log = logging.getLogger("whymesh.proxy")

_SHORTEST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


@dataclass
class Lease:
    """One instance's place in the mesh; `instance` is the name that `registration` (docs/discovery.md) gives it."""

    control: ControlPlane
    instance: str
    registration: str
    token: str = ""

    def hold(self, stop: threading.Event) -> None:
        """Registers, then renews in time, until stopped; what is in the way is logged, and tried again."""
        registered, pause_s = False, _SHORTEST_PAUSE_S
        while not stop.is_set():
            try:
                renew_s = self.renew() if registered else self.register()
            except _Forgotten:
                registered = False
                continue
            except OSError as error:
                log.warning("instance %s is not registered: %s; trying again", self.instance, error)
                stop.wait(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  (jitter is not a secret)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                continue
            registered, pause_s = True, _SHORTEST_PAUSE_S
            stop.wait(renew_s)

    def register(self) -> float:
        """Begins the lease; returns the seconds until it should be renewed, raises OSError with what is in the way."""
        return self._granted(*self.control.tell("POST", "/v1/instances", self.registration, self.token))

    def renew(self) -> float:
        """Lets the lease begin anew; returns and raises as `register`."""
        return self._granted(*self.control.tell("PUT", f"{self._path}/lease", token=self.token))

    def leave(self) -> None:
        """Ends the lease, so that nobody calls the instance any more; raises OSError with what is in the way."""
        status, said = self.control.tell("DELETE", self._path, token=self.token)
        if status >= 300:
            raise OSError(_error(said))

    @property
    def _path(self) -> str:
        return f"/v1/instances/{quote(self.instance, safe='')}"

    def _granted(self, status: int, said: str) -> float:
        if status == 404:
            raise _Forgotten(_error(said))
        if status >= 300:
            raise OSError(_error(said))
        try:
            return float(json.loads(said)["renew_s"])
        except (ValueError, KeyError, TypeError):
            raise OSError(f"answered {said[:60]!r}, which is no lease") from None


class _Forgotten(OSError):
    """The control plane knows of no such lease (any more)."""


def _error(said: str) -> str:
    """The sentence of a refusal."""
    try:
        return str(json.loads(said)["error"])
    except (ValueError, KeyError, TypeError):
        return said or "refused without a word"
