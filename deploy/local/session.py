"""What every run on one machine shares: started with progress on the terminal, stopped by a signal, nothing left.

In: processes and the ports they want. Out: a running session until Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from rich.console import Console

from deploy.local.ports import PortTaken, Wanted, check_free
from deploy.local.state import RunFolder, RunHeld
from deploy.local.supervise import Death, Spec, StartFailed, Supervisor

T = TypeVar("T")
INTERRUPTED = 130  # what shells report for Ctrl-C


class NotStarted(Exception):
    """The run cannot start; the message is for the operator."""


class Stopped(Exception):
    """The operator asked for the end before the work was done."""


def terminal() -> Console:
    """Where people read: standard error, so that standard output stays what was asked for; text is only text."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def stop_signal() -> asyncio.Event:
    """Set by Ctrl-C, SIGTERM or a closed terminal; a second one ends this process at once, the leash its children."""
    stop = asyncio.Event()

    def asked() -> None:
        if stop.is_set():
            os._exit(INTERRUPTED)
        stop.set()

    hang_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)  # nohup stays nohup
    for number in (signal.SIGINT, signal.SIGTERM, *hang_up):
        asyncio.get_running_loop().add_signal_handler(number, asked)
    return stop


@asynccontextmanager
async def session(
    folder: RunFolder, wanted: Iterable[Wanted], console: Console, *, fresh: bool
) -> AsyncIterator[Supervisor]:
    """Holds the folder and checks the ports, then hands out a supervisor; stops all it started on the way out.

    Raises NotStarted for what the operator can mend: a port in use, a folder held, a process that does not start.
    """

    def report(death: Death) -> None:
        console.print(f"died: {death}", style="red")

    try:
        with folder.hold(fresh=fresh):
            check_free(wanted)
            supervisor = Supervisor(folder.logs, report)
            try:
                yield supervisor
            finally:
                await supervisor.stop_all()
    except (PortTaken, RunHeld, StartFailed) as error:
        raise NotStarted(str(error)) from error


async def start(supervisor: Supervisor, specs: list[Spec], console: Console, stop: asyncio.Event) -> None:
    """Starts all with a line of progress; raises StartFailed, or Stopped when a signal came first."""
    with console.status("starting") as status:
        waiting = {spec.name for spec in specs}

        def ready(name: str) -> None:
            waiting.discard(name)
            status.update(f"starting: {len(specs) - len(waiting)}/{len(specs)} ready, waiting for {_few(waiting)}")

        await unless_stopped(supervisor.start(specs, ready), stop)


async def unless_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T:
    """The result of the work; raises Stopped, with the work cancelled, when a signal comes first."""
    working = asyncio.create_task(work)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not working.done():
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        raise Stopped
    return await working


def _few(names: set[str], most: int = 4) -> str:
    listed = sorted(names)
    return ", ".join(listed[:most]) + (" ..." if len(listed) > most else "")
