"""What a proxy says of its snapshot: once it serves or refuses it, and anew when something else is wrong with it.

In: what became of each snapshot, problems that the engine knows of. Out: acknowledgements to the control plane.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from proxy.subscribe import ControlPlane

LOOK_S = 5.0


class Acknowledgements:
    """Those of one proxy; `problems` are sentences for the operator."""

    def __init__(self, control: ControlPlane, problems: Callable[[], list[str]]) -> None:
        self._control, self._problems = control, problems
        self._last: tuple[int, bool, str] | None = None
        self._told: list[str] = []
        self._lock = threading.Lock()

    def say(self, epoch: int, accepted: bool, reason: str = "") -> None:
        """What became of a snapshot."""
        with self._lock:
            self._last = epoch, accepted, reason
            self._tell(self._problems())

    def look(self) -> None:
        """Says it anew where the problems are others."""
        with self._lock:
            problems = self._problems()
            if self._last is not None and problems != self._told:
                self._tell(problems)

    def follow(self, stop: threading.Event) -> None:
        """Looks every few seconds until stopped."""
        while not stop.wait(LOOK_S):
            self.look()

    def _tell(self, problems: list[str]) -> None:
        if self._last is not None and self._control.acknowledge(*self._last, problems):
            self._told = problems
