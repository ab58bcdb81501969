"""A small disk of its own that can be filled, freed and made read-only, for processes that are started on it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world.processes import Process, Program, gone_after, until

_OWN = ("unshare", "--user", "--map-root-user", "--mount")
_MOUNT = 'mount -t tmpfs -o size="$0" tmpfs "$1" && touch "$1/mounted" && exec sleep infinity'
_CHUNK = bytes(64 << 10)


class Disk:
    """A tmpfs at `path`, which only those see that were started on it."""

    def __init__(self, path: Path, holder: Process) -> None:
        self.path = path
        self._holder = holder
        self._outside = Path(f"/proc/{holder.pid}/root{path}")
        until((self._outside / "mounted").exists, "the disk to be mounted")

    def fill(self, leave: int = 0) -> None:
        """Leaves so many bytes."""
        with (self._outside / "ballast").open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
            while self._free > leave:
                ballast.write(_CHUNK[: self._free - leave])

    def free(self) -> None:
        """Makes the room again that was filled."""
        (self._outside / "ballast").unlink()

    def make_read_only(self) -> None:
        """Nobody may have a file open to be written."""
        subprocess.run([*self._entering, "mount", "-o", "remount,ro", str(self.path)], check=True)

    def turn_read_only(self) -> None:
        """Under those who use it: what they have open stays, nothing can be opened to be written, made or removed."""
        for options in (("--bind",), ("-o", "remount,bind,ro")):
            subprocess.run([*self._entering, "mount", *options, str(self.path), str(self.path)], check=True)

    def turn_writable(self) -> None:
        """Ends what `turn_read_only` began."""
        remount = ("mount", "-o", "remount,bind,rw", str(self.path), str(self.path))
        subprocess.run([*self._entering, *remount], check=True)

    @contextlib.contextmanager
    def running(self, module: str, *arguments: str, log: Path) -> Iterator[Process]:
        """As that of tests.world.processes, for a process that sees the disk."""

        class Entered(Process):
            launcher = (*self._entering, sys.executable, "-m")

        with gone_after(Entered(module, *arguments, log=log)) as process:
            yield process

    @property
    def _free(self) -> int:
        there = os.statvfs(self._outside)
        return there.f_bavail * there.f_frsize

    @property
    def _entering(self) -> tuple[str, ...]:
        return ("nsenter", "-t", str(self._holder.pid), "--user", "--mount", "--preserve-credentials", "--wdns=.")


@contextlib.contextmanager
def disk(path: Path, megabytes: int) -> Iterator[Disk]:
    """Skips the test where this user may not mount one."""
    if subprocess.run([*_OWN, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces (kernel.unprivileged_userns_clone)")
    path.mkdir(parents=True)
    program = Program(_OWN[0], *_OWN[1:], "sh", "-c", _MOUNT, f"{megabytes}m", str(path), log=path.with_suffix(".log"))
    with gone_after(program) as holder:
        yield Disk(path, holder)
