"""Starts our processes for real and waits until they say they are ready."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

PATIENCE_S = 30.0
WHYMESH = str(Path(sys.executable).with_name("whymesh"))


def free_port() -> int:
    """A loopback TCP port nobody listens on at this moment, another one each time."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


_given: set[int] = set()


def listens(address: str) -> bool:
    """Whether anybody does, at host:port or http://host:port of IPv4."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    with socket.socket() as caller:
        return caller.connect_ex((host, int(port))) == 0


def until(met: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Polls a condition; fails the test saying what never came."""
    deadline = time.monotonic() + patience_s
    while not met():
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s for {what}"
        time.sleep(0.02)


def get(url: str) -> tuple[int, str]:
    """Status and body of a GET; 0 when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except (OSError, urllib.error.URLError):
        return 0, ""


class Process:
    """One running `python -m module`; its output is in `log`."""

    launcher: tuple[str, ...] = (sys.executable, "-m")

    def __init__(self, module: str, *arguments: str, log: Path) -> None:
        self.log = log
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                [*self.launcher, module, *arguments],
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def ready(self, url: str) -> None:
        """Returns once `url` answers 200; fails with the process's own words when it ends first."""

        def answered() -> bool:
            assert self._process.poll() is None, f"ended with {self._process.returncode}:\n{self.output()}"
            return get(url)[0] == 200

        until(answered, f"{url} to answer 200")

    def ended(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        return self._process.wait(patience_s)

    def terminate(self) -> int:
        self._process.terminate()
        return self.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Program(Process):
    """One running program."""

    launcher = ()


@contextlib.contextmanager
def running(module: str, *arguments: str, log: Path) -> Iterator[Process]:
    """`python -m module`, gone when the block ends, whatever happens in it."""
    with gone_after(Process(module, *arguments, log=log)) as process:
        yield process


@contextlib.contextmanager
def whymesh(*arguments: str, log: Path) -> Iterator[Process]:
    """The installed `whymesh` command, gone when the block ends."""
    with gone_after(Program(WHYMESH, *arguments, log=log)) as process:
        yield process


@contextlib.contextmanager
def gone_after(process: Process) -> Iterator[Process]:
    try:
        yield process
    finally:
        process.kill()
