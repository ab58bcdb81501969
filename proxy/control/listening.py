"""Opens the doors of the control plane: the API in the clear and over TLS, and names.

In: addresses as the operator wrote them. Out: doors that listen. Raises NotStarted, with every door closed again.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import web

from proxy.control.api.entrance import Bounds, Door, Entrance
from proxy.control.errors import NotStarted
from proxy.control.names.door import NamesDoor
from proxy.control.options import Options
from proxy.control.registry import Registry


def names_of(options: Options) -> set[str]:
    """Hosts and addresses by which others may reach the TLS door."""
    known = {options.tls.rpartition(":")[0].strip("[]"), urlsplit(options.url).hostname, socket.gethostname()}
    return {name for name in known if name} - {"0.0.0.0", "::"} | {"localhost", "127.0.0.1", "::1"}  # noqa: S104


async def listening(
    application: web.Application, listen: str, secure: tuple[str, ssl.SSLContext] | None, bounds: Bounds | None = None
) -> web.AppRunner:
    """The application at `listen`, empty for nowhere, and at a second address where it is to be `secure`."""
    entrance = Entrance(bounds)
    application.middlewares.insert(0, entrance.bounded)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    doors = ([("--listen", listen, None)] if listen else []) + ([("--tls", *secure)] if secure else [])
    for option, address, context in doors:
        try:
            await Door(runner, entrance, address, context).start()
        except (OSError, ValueError) as error:
            await runner.cleanup()
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            raise NotStarted(f"{option} {address}: {reason}; another control plane may be running") from None
    return runner


async def answering_names(dns: str, registry: Callable[[], Registry], runner: web.AppRunner) -> NamesDoor:
    """The names of what is in force; `runner` is closed when they cannot be answered."""
    names = NamesDoor(dns, registry)
    try:
        await names.open()
    except (OSError, ValueError) as error:
        await runner.cleanup()
        raise NotStarted(f"--dns {dns}: {error}") from None
    return names
