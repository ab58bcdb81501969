"""Where a run on this machine keeps its files, and how other commands find it.

In: the state directory ($XDG_STATE_HOME/whymesh, or --state). Out: one folder a run, held by one process at a time:
logs/, data/ (the store), proxies/ (last good snapshots), rootcause/ (its outbox), mesh.yaml of the demo, run.json
(what runs where).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


class RunHeld(Exception):
    """Another process runs in this folder; the message says which."""


@dataclass(frozen=True)
class Running:
    """What other commands need to know of a run."""

    pid: int
    rootcause: str
    store: str
    faults: str = ""  # the demo's control port
    control: str = ""
    control_root: str = ""  # the file of roots by which a control plane at https is known
    operator_key: str = ""  # the file with the token by which its user makes changes


def default_state() -> Path:
    """$XDG_STATE_HOME/whymesh, by default ~/.local/state/whymesh (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "whymesh"


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    root: Path

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.root / "logs"

    @property
    def rootcause(self) -> Path:
        """Messages that are not delivered yet."""
        return self.root / "rootcause"

    @property
    def data(self) -> Path:
        """The collector's: write-ahead log and the embedded store."""
        return self.root / "data"

    @property
    def proxies(self) -> Path:
        """The sidecars' last good snapshots."""
        return self.root / "proxies"

    @property
    def node_key(self) -> Path:
        """By which the sidecars join, where the mesh has an authority."""
        return self.proxies / "node.key"

    @property
    def control(self) -> Path:
        """The control plane's epoch."""
        return self.root / "control"

    @contextmanager
    def hold(self, *, fresh: bool) -> Iterator[None]:
        """Takes the folder for this process, emptied when `fresh`; raises RunHeld when another process has it."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                running = read_running(self.root)
                who = f"process {running.pid}" if running else "another process"
                raise RunHeld(f"{who} already runs in {self.root}: stop it, or choose another --state.") from None
            for folder in (self.logs, self.data, self.proxies, self.control):
                if fresh:
                    shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(exist_ok=True)
            try:
                yield
            finally:
                (self.root / "run.json").unlink(missing_ok=True)

    def announce(self, running: Running) -> None:
        """Tells other commands what runs here."""
        partial = self.root / "run.json.new"
        partial.write_text(json.dumps(asdict(running)))
        partial.replace(self.root / "run.json")


def read_running(folder: Path) -> Running | None:
    """The run in a folder whose process is alive, if there is one."""
    try:
        running = Running(**json.loads((folder / "run.json").read_text()))
        os.kill(running.pid, 0)
    except (OSError, ValueError, TypeError):
        return None
    return running


def find_running(state: Path, *, demo: bool = False) -> Running | None:
    """The run under a state directory that was announced last; with `demo`, the one that takes orders."""
    found = sorted(state.glob("*/run.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    alive = (running for path in found if (running := read_running(path.parent)))
    return next((running for running in alive if running.faults or not demo), None)
