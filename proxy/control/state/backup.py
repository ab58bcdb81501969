"""The state of a control plane -> one file, and back.

In: a state folder, also one that a control plane writes to. Out: a tar with a consistent copy of each database, or such
a folder again. Never: epochs that proxies were told of counted a second time; or a folder that is lost for another.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import tarfile
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from proxy.control.errors import StateUnusable
from proxy.control.state.database import FILE

_DATABASES = (FILE, "instances.sqlite", "authority/authority.sqlite")
_FILES = ("key-sets.json", "authority/audit.log", "authority/roots.pem")
_ABOUT = "backup.json"
_LONGEST = 4 << 30


@dataclass(frozen=True)
class Restored:
    """What is in the folder now; `replaced` is where the one before is kept."""

    epoch: int
    went_back_from: int | None
    replaced: Path | None


def back_up(state: Path, into: Path) -> int:
    """Writes a backup, readable by this user only, and returns its epoch; raises StateUnusable, OSError."""
    if not (state / FILE).exists():
        raise StateUnusable(f"{state}: there is no {FILE}; is this the --state of `whymesh control`?")
    fresh = into.with_name(f"{into.name}.new")
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".backup-") as folder:
        copies = Path(folder)
        for name in _DATABASES:
            if (state / name).exists():
                _copy(state / name, copies / name)
        epoch = _newest(copies / FILE)
        about = json.dumps({"whymesh": "control state", "epoch": epoch, "at": datetime.now(UTC).isoformat()}).encode()
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz") as tar:
                head = tarfile.TarInfo(_ABOUT)
                head.size, head.mode = len(about), 0o600
                tar.addfile(head, io.BytesIO(about))
                for name in (*_DATABASES, *_FILES):
                    source = copies / name if name in _DATABASES else state / name
                    if source.exists():
                        tar.add(source, name, recursive=False)
            file.flush()
            os.fsync(file.fileno())
    fresh.replace(into)
    return epoch


def restore(backup: Path, state: Path, *, back: bool, after: int = 0) -> Restored:
    """Puts a backup in the place of a folder that no control plane uses; raises StateUnusable, OSError.

    With `back` also one that is older than what is there. Its documents are a new epoch then, after all those that
    were; `after` says up to which that was where the folder is lost.
    """
    with tempfile.TemporaryDirectory(dir=state.parent, prefix=".restore-") as made:
        folder = Path(made) / "state"
        _unpack(backup, folder)
        epoch, there = _newest(folder / FILE), max(_there(state), after)
        if there > epoch and not back:
            raise StateUnusable(
                f"{backup}: is as of epoch {epoch}, but proxies were told of epoch {there} since; "
                "--back goes there all the same, as a new epoch"
            )
        if there > epoch:
            _go_on(folder / FILE, epoch, there + 1)
        replaced = None
        if state.exists():
            replaced = state.with_name(f"{state.name}.before-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}")
            state.rename(replaced)
        folder.rename(state)
    return Restored(max(epoch, there + 1 if there > epoch else 0), there if there > epoch else None, replaced)


def _copy(source: Path, target: Path) -> None:
    """A copy as of one moment, whoever writes meanwhile."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as read,
            closing(sqlite3.connect(target)) as written,
        ):
            read.backup(written)
            written.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise StateUnusable(f"{source}: cannot be read: {error}") from None


def _unpack(backup: Path, folder: Path) -> None:
    """What we know the names of, nothing else; raises StateUnusable for a file that is no backup, or a broken one."""
    try:
        with tarfile.open(backup, "r:gz") as tar:
            members = {member.name: member for member in tar.getmembers() if member.isreg() and member.size < _LONGEST}
            if _ABOUT not in members or FILE not in members:
                raise StateUnusable(f"{backup}: is no backup of a control plane")
            for name in (*_DATABASES, *_FILES):
                if (member := members.get(name)) is not None and (content := tar.extractfile(member)) is not None:
                    target = folder / name
                    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                        while piece := content.read(1 << 20):
                            file.write(piece)
    except (tarfile.TarError, EOFError) as error:
        raise StateUnusable(f"{backup}: is no backup, or a broken one: {error}") from None
    for name in _DATABASES:
        if (folder / name).exists():
            _check(backup, folder / name, name)


def _check(backup: Path, database: Path, name: str) -> None:
    try:
        with closing(sqlite3.connect(database)) as sql:
            (found,) = sql.execute("PRAGMA integrity_check").fetchone()
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        raise StateUnusable(f"{backup}: {name} in it is broken: {found}")


def _there(state: Path) -> int:
    """The last epoch of the folder that is to be replaced, 0 where it has none that could be read."""
    if not (state / FILE).exists():
        return 0
    try:
        with closing(sqlite3.connect(state / FILE)) as sql:
            lease = sql.execute("SELECT url FROM lease WHERE until > ?", (time.time(),)).fetchone()
    except sqlite3.Error:
        return 0
    if lease is not None:
        raise StateUnusable(f"{state}: the control plane at {lease[0]} uses it; stop that first")
    return _newest(state / FILE)


def _newest(database: Path) -> int:
    try:
        with closing(sqlite3.connect(database)) as sql:
            return int(sql.execute("SELECT coalesce(max(epoch), 0) FROM epochs").fetchone()[0])
    except sqlite3.Error as error:
        raise StateUnusable(f"{database.name}: is not that of a control plane: {error}") from None


def _go_on(database: Path, epoch: int, anew: int) -> None:
    """What was in force as of an epoch is so again, as a newer one."""
    words = json.dumps([f"everything is as it was as of epoch {epoch}, from a backup"])
    with closing(sqlite3.connect(database)) as sql, sql:
        sql.execute(
            "INSERT INTO epochs SELECT ?, ?, 'whymesh restore', ?, digest FROM epochs WHERE epoch = ?",
            (anew, datetime.now(UTC).isoformat(), words, epoch),
        )
