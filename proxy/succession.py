"""Hot restart: waits for the process that takes this one's place, and makes way for it.

In: a path in the state folder. Out: listening sockets for whoever asks there, then the order to stop.
Never: a proxy that stops serving because this cannot be offered.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from proxy.sidecar import Sidecar

log = logging.getLogger("whymesh.proxy")

_LOOK_S = 1.0
"""How long a stop may go unseen."""


def await_successor(sidecar: Sidecar, path: Path, stop: threading.Event) -> None:
    """Waits from when the proxy serves until it stops; stops it once a successor serves in its place."""
    while not sidecar.serves.wait(_LOOK_S):
        if stop.is_set():
            return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        succession = sidecar.succession(path)
        log.info("a successor may take over at %s", path)
        while not stop.is_set():
            if sidecar.pass_on(succession, _LOOK_S):
                log.info("another process serves now; this one finishes what it has begun")
                sidecar.succeeded.set()
                stop.set()
    except OSError as error:
        log.error("a hot restart is not possible: %s: %s", path, error)
