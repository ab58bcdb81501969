"""Starts processes, waits until each is ready, notices when one dies, and leaves none behind.

In: specifications. Out: running processes with a log file each; a Death for each that ended unasked.
Never: a restart nobody asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import leash
from deploy.local.ready import until_ready

TAIL_LINES = 15


@dataclass(frozen=True)
class Spec:
    """One process: what to execute, when it counts as ready, and what must be ready before it starts."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    ready: str = ""  # http(s)://… answered with 200, or tcp://host:port or unix:/path accepting; empty: when started
    known_by: Path | None = None  # the file of roots by which it is known at https
    after: tuple[str, ...] = ()
    ready_within_s: float = 60.0
    grace_s: float = 8.0  # from SIGTERM to SIGKILL


@dataclass(frozen=True)
class Death:
    """A process that ended although nobody stopped it."""

    name: str
    exit_code: int
    log: Path

    def __str__(self) -> str:
        how = f"signal {-self.exit_code}" if self.exit_code < 0 else f"exit code {self.exit_code}"
        return f"{self.name} ended with {how}; the end of {self.log}:\n{tail(self.log)}"


class StartFailed(Exception):
    """A process ended or did not become ready; the message carries the tail of its log."""


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, indented for a terminal."""
    text = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"    {line}" for line in text[-lines:]) or "    (it wrote nothing)"


@dataclass
class _Running:
    spec: Spec
    process: asyncio.subprocess.Process
    log: Path
    stopping: bool = False
    watcher: asyncio.Task[None] | None = None


class Supervisor:
    """The processes of one run.

    Processes that come `after` others start when those are ready and stop before them, so that what is in flight can
    still be delivered. Each leads its own session: Ctrl-C in the terminal reaches this process only, which decides
    the order.
    """

    def __init__(self, logs: Path, on_death: Callable[[Death], None]) -> None:
        self._logs = logs
        self._on_death = on_death
        self._running: dict[str, _Running] = {}
        self._ready: dict[str, asyncio.Event] = {}

    def names(self) -> list[str]:
        """Processes alive now, in the order in which they were started."""
        return list(self._running)

    def pid(self, name: str) -> int:
        """Process id, which is also the process group; KeyError when it does not run."""
        return self._running[name].process.pid

    async def start(self, specs: Iterable[Spec], progress: Callable[[str], None] = lambda name: None) -> None:
        """Starts all, each once those it comes after are ready; returns when all are ready, else raises StartFailed."""
        specs = list(specs)
        for spec in specs:
            self._ready[spec.name] = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                for spec in specs:
                    group.create_task(self._start_one(spec, progress))
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None

    async def _start_one(self, spec: Spec, progress: Callable[[str], None]) -> None:
        for name in spec.after:
            await self._ready[name].wait()
        running = await self._spawn(spec)
        ended = asyncio.ensure_future(running.process.wait())
        ready = asyncio.ensure_future(until_ready(spec.ready, spec.known_by))
        try:
            await asyncio.wait({ended, ready}, timeout=spec.ready_within_s, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                raise StartFailed(f"{spec.name} did not start. {Death(spec.name, ended.result(), running.log)}")
            if not ready.done():
                raise StartFailed(
                    f"{spec.name} was not ready at {spec.ready} within {spec.ready_within_s:.0f} s; "
                    f"the end of {running.log}:\n{tail(running.log)}"
                )
        finally:
            await _cancel(ended, ready)
        running.watcher = asyncio.create_task(self._watch(running))
        self._ready[spec.name].set()
        progress(spec.name)

    async def _spawn(self, spec: Spec) -> _Running:
        log = self._logs / f"{spec.name}.log"
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *spec.command,
                stdin=asyncio.subprocess.DEVNULL, stdout=sink, stderr=sink,
                env={**os.environ, **spec.env}, cwd=spec.cwd, start_new_session=True,
            )  # fmt: skip
        running = self._running[spec.name] = _Running(spec, process, log)
        return running

    async def _watch(self, running: _Running) -> None:
        exit_code = await running.process.wait()
        if not running.stopping:
            self._forget(running)
            self._on_death(Death(running.spec.name, exit_code, running.log))

    async def kill(self, name: str) -> None:
        """Kills one process group with -9, on purpose: no Death is reported for it."""
        running = self._running[name]
        running.stopping = True
        _signal_group(running, signal.SIGKILL)
        await self._reap(running)

    async def stop(self, name: str) -> None:
        """SIGTERM, then SIGKILL after its grace; what the leader left in its process group is killed too."""
        running = self._running.get(name)
        if running is None:
            return
        running.stopping = True
        _signal_group(running, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.process.wait(), running.spec.grace_s)
        _signal_group(running, signal.SIGKILL)
        await self._reap(running)

    async def stop_all(self) -> None:
        """Stops everything, dependents before what they depend on, side by side where nothing depends."""
        while self._running:
            needed = {name for running in self._running.values() for name in running.spec.after}
            await asyncio.gather(*(self.stop(name) for name in list(self._running) if name not in needed))

    async def _reap(self, running: _Running) -> None:
        await running.process.wait()
        if running.watcher:
            await running.watcher
        self._forget(running)

    def _forget(self, running: _Running) -> None:
        self._running.pop(running.spec.name, None)


def _signal_group(running: _Running, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.process.pid, number)


async def _cancel(*futures: asyncio.Future[int] | asyncio.Future[None]) -> None:
    for future in futures:
        future.cancel()
    await asyncio.gather(*futures, return_exceptions=True)
