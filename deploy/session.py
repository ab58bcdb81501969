"""What every run on one machine shares: started with progress on the terminal, stopped by a signal, nothing left.

In: processes and the ports they want. Out: a running session until Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from rich.console import Console

from deploy.ports import PortTaken, Wanted, check_free
from deploy.state import RunFolder, RunHeld
from deploy.supervise import Death, Spec, StartFailed, Supervisor


def terminal() -> Console:
    """Where people read: standard error, so that standard output stays what was asked for; text is never markup."""
    return Console(stderr=True, highlight=False, markup=False)


class NotStarted(Exception):
    """The run cannot start; the message is for the operator."""


def stop_signal() -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM; a second one ends this process at once, and the leash ends its children."""
    stop = asyncio.Event()

    def asked() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
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


async def start(supervisor: Supervisor, specs: list[Spec], console: Console, stop: asyncio.Event) -> bool:
    """Starts all with a line of progress; False when a signal came first."""
    with console.status("starting") as status:
        waiting = {spec.name for spec in specs}

        def ready(name: str) -> None:
            waiting.discard(name)
            status.update(f"starting: {len(specs) - len(waiting)}/{len(specs)} ready, waiting for {_few(waiting)}")

        starting = asyncio.create_task(supervisor.start(specs, ready))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return False
        await starting
        return True


def _few(names: set[str], most: int = 4) -> str:
    listed = sorted(names)
    return ", ".join(listed[:most]) + (" ..." if len(listed) > most else "")
