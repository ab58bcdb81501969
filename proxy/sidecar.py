"""Hands snapshots from the control plane to the engine and tells the control plane what became of them.

In: snapshots as JSON. Out: a serving engine, acknowledgements, the last good snapshot on disk.
Never: stops serving because the control plane is away or sent something it cannot serve.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from functools import partial
from pathlib import Path

from proxy._engine import BindError, Engine, Key, SnapshotRefused, Succession, View
from proxy.acknowledgements import Acknowledgements
from proxy.flush import report_flags
from proxy.identities import Identities
from proxy.resource import of_workload
from proxy.saved import SavedSnapshot
from proxy.saved_identity import SavedIdentities
from proxy.subscribe import ControlPlane, Flush

log = logging.getLogger("whymesh.proxy")

_EPOCH = re.compile(r'\{"epoch":\s*(\d{1,18})[,}]')


class Sidecar:
    """One engine and the snapshot it serves; `failed` is set when it can never serve (a port is taken)."""

    def __init__(
        self,
        control: ControlPlane,
        saved: SavedSnapshot,
        workers: int,
        stop: threading.Event,
        spool: Path | None,
        replace: Path | None = None,
        join: Path | None = None,
        surroundings: dict[str, str] | None = None,
    ) -> None:
        """`join` is a file with a token or node key, for services that need a certificate.

        `surroundings` are attributes of all that is recorded.
        """
        self._control = control
        self._saved = saved
        self._workers = workers
        self._stop = stop
        self._spool = spool
        self._replace = replace
        self._surroundings = surroundings or {}
        self._nodes: dict[str, dict[str, str | None]] = {}
        self._engine: Engine | None = None
        self.snapshot: str | None = None
        self.state = "waiting for the control plane"
        self.failed: str | None = None
        folder = saved.path.parent if saved.path else None
        self.identities = Identities(
            control, Key, join, SavedIdentities(folder, control.proxy, partial(_secret, join), Key), stop
        )
        if control.anchors is not None:
            control.anchors.shows, control.anchors.token = self.identities.shown, self.identities.token
        self.serves, self.succeeded = threading.Event(), threading.Event()
        self._acknowledgements = Acknowledgements(control, self.problems)

    def run(self) -> None:
        """Serves the saved snapshot if there is one, then follows the control plane until stopped."""
        if (saved := self._saved.load()) is not None:
            self._serve(saved)
        for message in self._control.messages():
            if isinstance(message, Flush):
                if self._engine is not None:
                    self._engine.flush(message.traces)
                continue
            epoch = _epoch_of(message)
            refusal = self._serve(message)
            self._acknowledgements.say(epoch, accepted=refusal is None, reason=refusal or "")
            if self.failed:
                return

    def ready(self) -> bool:
        """True once traffic is carried, in the name of every service that needs a certificate."""
        return self.snapshot is not None and self.identities.complete()

    def why_not_ready(self) -> str:
        """What is waited for, for people."""
        if self._engine is None or self.identities.complete():
            return self.state
        return self.identities.problem or "waiting for a certificate"

    def stats(self) -> str | None:
        """The engine's counters as JSON."""
        return self._engine.stats() if self._engine else None

    def problems(self) -> list[str]:
        """What is wrong with what clients outside the mesh are shown, for people."""
        return self._engine.problems() if self._engine else []

    def view(self, wish: dict[str, str]) -> View | None:
        """Requests as `Engine.view` shows them; None while nothing is carried. Raises ValueError, RuntimeError."""
        return self._engine.view(wish) if self._engine else None

    def counts_to(self) -> str:
        """Where counts go: the collector's OTLP/HTTP traces URL; empty when there is none, or it speaks gRPC."""
        telemetry = json.loads(self.snapshot or "{}").get("telemetry", {})
        return str(telemetry.get("endpoint", "")) if telemetry.get("protocol", "http") == "http" else ""

    def resource(self, instance: str) -> dict[str, str]:
        """Whose counts those of an instance are, as its spans say it."""
        return of_workload(self._surroundings, self._nodes.get(instance, {}))

    def succession(self, path: Path) -> Succession:
        """Where another process may ask to take over; raises OSError when nobody can listen there."""
        return Succession(path)

    def pass_on(self, succession: Succession, timeout_s: float) -> bool:
        """Gives the listening sockets to a successor that comes in time; True once it serves them."""
        return self._engine.pass_on(succession, timeout_s) if self._engine else False

    def drain(self, timeout_s: float) -> bool:
        """Lets requests finish and the exporter empty its queue."""
        return self._engine.drain(timeout_s) if self._engine else True

    def _serve(self, snapshot: str) -> str | None:
        """Gives one snapshot to the engine; returns why it was refused, if it was."""
        try:
            if self._engine is None:
                self._engine = Engine(
                    snapshot,
                    workers=self._workers,
                    spool=self._spool,
                    replace=self._replace,
                    identities=self.identities.restored(json.loads(snapshot)),
                    surroundings=self._surroundings,
                )
                self.serves.set()
                flags = (self._engine.flagged, self._control, self._stop)
                threading.Thread(target=report_flags, args=flags, name="flags", daemon=True).start()
                threading.Thread(target=self.identities.run, name="identities", daemon=True).start()
                looking = self._acknowledgements.follow
                threading.Thread(target=looking, args=(self._stop,), name="problems", daemon=True).start()
            else:
                self._engine.apply(snapshot)
        except SnapshotRefused as error:
            self.state = f"snapshot refused: {error}"
            log.error("snapshot refused, the last good one stays in force: %s", error)
            return str(error)
        except (BindError, RuntimeError) as error:
            self.failed = str(error)
            self._stop.set()
            return str(error)
        told = json.loads(snapshot)
        self._nodes = {one["node"]["instance"]: one["node"] for one in told["workloads"]}
        self.identities.want(self._engine.identify, told, self._engine.denied())
        if self._control.anchors is not None:
            self._control.anchors.learn(self.identities.roots)
        # Last: whoever finds this proxy ready finds what it serves, and every certificate that it takes.
        self.snapshot, self.state = snapshot, "serving"
        self._saved.keep(snapshot)
        log.info("serving epoch %d", _epoch_of(snapshot))
        return None


def _secret(join: Path | None) -> bytes:
    """What seals keys on disk: the key of the node. A token is no secret that lasts."""
    try:
        said = join.read_text().strip() if join else ""
    except OSError:
        return b""
    return said.encode() if said.startswith("whymesh-node.") else b""


def _epoch_of(snapshot: str) -> int:
    """The epoch a snapshot begins with, for the answer to whoever sent it; 1 where there is none to read.

    To read all of it would take more memory than everything else a sidecar has in Python.
    """
    found = _EPOCH.match(snapshot)
    return int(found[1]) if found else 1
