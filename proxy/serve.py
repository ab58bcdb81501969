"""The sidecar's wiring, top to bottom: control plane -> engine -> admin port -> drain.

`python -m proxy.serve SETTINGS` is what `python -m proxy` turns into once it has read its options.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from proxy.admin import AdminServer
from proxy.anchors import Anchors
from proxy.counts import report_counts
from proxy.lease import Lease
from proxy.probes import Probes
from proxy.resource import VARIABLE, surroundings
from proxy.saved import SavedSnapshot
from proxy.sidecar import Sidecar
from proxy.subscribe import ControlPlane
from proxy.succession import await_successor

_LAST_WORD_S = 2.5
"""Longest wait for a renewal under way, which must not come after the farewell."""


@dataclass(frozen=True)
class Settings:
    """The options of one proxy; `proxy` is its instance, node or gateway, `state` empty for none, `drain` in s."""

    control: str
    proxy: str
    admin: str
    state: str
    workers: int
    drain: float
    replace: bool = False
    registration: str = ""
    """What to register with the control plane, as JSON; empty for a proxy that is written in the configuration."""
    token: str = ""
    """The file that holds the control plane's token."""
    join: str = ""
    """The file that holds a token or node key to get certificates with."""
    control_root: str = ""
    """By what a control plane at https is known: a file of roots, or the fingerprint of one."""

    probes: str = ""
    """What /probe/NAME of the admin port asks the application, as JSON."""

    def command(self) -> list[str]:
        """The command line that serves with these settings."""
        return [sys.executable, "-m", "proxy.serve", json.dumps(asdict(self))]


def serve(settings: Settings) -> int:
    """Carries traffic until SIGTERM or SIGINT; returns the exit code: 0 drained, 1 not all of it, 2 never served."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    around, left_out = surroundings(os.environ.get(VARIABLE, ""), socket.gethostname())
    for why in left_out:
        logging.getLogger("whymesh.proxy").warning("%s", why)
    name, state = settings.proxy, Path(settings.state) if settings.state else None
    try:
        anchors = Anchors(settings.control_root) if settings.control_root else None
        follow = ControlPlane(settings.control, name, stop, anchors)
        saved = SavedSnapshot(state / f"{name}.snapshot.json" if state else None)
        spool, heir = (state / f"{name}.{what}" if state else None for what in ("spool", "successor"))
        replaced, join = heir if settings.replace else None, Path(settings.join) if settings.join else None
        sidecar = Sidecar(follow, saved, settings.workers, stop, spool, replaced, join, around)
        host, _, port = settings.admin.rpartition(":")
        host = host.strip("[]")
        server = AdminServer(host, int(port), sidecar, Probes(settings.probes, host), shared=settings.replace)
    except (OSError, ValueError) as error:
        return _say(f"--admin {settings.admin}: {error.strerror}" if isinstance(error, OSError) else str(error))
    server.start()
    threading.Thread(target=sidecar.run, name="follow", daemon=True).start()
    lease = Lease(follow, name, settings.registration, _token(settings.token)) if settings.registration else None
    holding = threading.Thread(target=lease.hold, args=(stop,), name="lease", daemon=True) if lease else None
    if holding:
        holding.start()
    counting = (sidecar.stats, sidecar.counts_to, sidecar.resource, stop)
    threading.Thread(target=report_counts, args=counting, name="counts", daemon=True).start()
    if heir:
        threading.Thread(target=await_successor, args=(sidecar, heir, stop), name="successor", daemon=True).start()
    while not stop.wait(1.0):  # a bounded wait: signals reach Python code only between waits
        pass
    if sidecar.failed:
        return _say(sidecar.failed)
    if sidecar.succeeded.is_set():  # whoever asks how this proxy is means the one that serves now
        server.stop()
    elif lease and holding:
        holding.join(_LAST_WORD_S)
        _leave(lease)
    clean = sidecar.drain(settings.drain)
    server.stop()
    return 0 if clean else 1


def _token(file: str) -> str:
    return Path(file).read_text().strip() if file else ""


def _leave(lease: Lease) -> None:
    """Before the drain: what callers send from now on goes to other instances."""
    try:
        lease.leave()
    except OSError as error:
        logging.getLogger("whymesh.proxy").warning("the lease is left to end by itself: %s", error)


def _say(message: str) -> int:
    sys.stderr.write(f"whymesh proxy: {message}\n")
    return 2


if __name__ == "__main__":
    sys.exit(serve(Settings(**json.loads(sys.argv[1]))))
