"""Opens the store that the configuration names: a server's, or an embedded one with its two doors."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from collector.beside import beside
from collector.config import Config
from collector.errors import ConfigRefused
from collector.listening import host_port, listening
from collector.store.doors.accounts import DEFAULT_ACCOUNTS, Account, Accounts
from collector.store.home import Store
from collector.store.rights import FINDINGS, Rights
from collector.store.server import ServerStore
from collector.store.settings import AccountPart, DoorTls
from collector.tls import Tls


async def open_store(opened: contextlib.AsyncExitStack, config: Config) -> tuple[Store, dict[str, int]]:
    """The store, closed when the stack unwinds, and the ports of its doors, none for a server's.

    Raises StoreUnavailable, SchemaRefused, CannotListen, ConfigRefused.
    """
    try:
        address = config.store.address()
    except OSError as error:
        raise _unreadable("store.password_file", config.store.password_file, error) from None
    if address is not None:
        config.data.mkdir(parents=True, exist_ok=True)
        server = await ServerStore.open(address, config.store.layout(), create=config.store.create_tables)
        opened.push_async_callback(server.close)
        return server, {}
    return await _embedded(opened, config)


async def _embedded(opened: contextlib.AsyncExitStack, config: Config) -> tuple[Store, dict[str, int]]:
    # ClickHouse is half a gigabyte: whoever stores elsewhere neither loads nor needs it.
    from collector.store.doors.http import serve_http  # noqa: PLC0415
    from collector.store.doors.native import serve_native  # noqa: PLC0415
    from collector.store.embedded import EmbeddedStore  # noqa: PLC0415

    tls = _tls(config.doors.tls)
    if tls is not None:
        await opened.enter_async_context(beside(tls.watch(), "renew doors"))
    accounts = Accounts([_account(part) for part in config.doors.accounts] or DEFAULT_ACCOUNTS)
    bounds, layout = config.doors.limits.bounds(), config.store.layout()
    store = await asyncio.to_thread(EmbeddedStore.open, config.data, bounds, layout)
    opened.push_async_callback(store.close)
    ports: dict[str, int] = {}
    for flag, serve in (("clickhouse_native", serve_native), ("clickhouse_http", serve_http)):
        where = getattr(config.listen, flag)
        with listening(flag, where):
            door = await serve(store, *host_port(where), accounts=accounts, tls=tls.context if tls else None)
        opened.push_async_callback(door.close)
        ports[flag] = door.port
    return store, ports


def _account(part: AccountPart) -> Account:
    try:
        password = part.password_file.read_text().strip() if part.password_file else ""
    except OSError as error:
        raise _unreadable(f"doors.accounts.{part.name}.password_file", part.password_file, error) from None
    if part.password_file and not password:
        raise ConfigRefused(f"doors.accounts.{part.name}.password_file: {part.password_file} is empty")
    tables = frozenset(part.tables) | (FINDINGS.tables if part.name == "rootcause" else frozenset())
    rights = Rights(tables, writer=part.role == "writer", owner=part.role == "owner")
    return Account(part.name, password, rights, part.identities)


def _tls(part: DoorTls | None) -> Tls | None:
    """Certificates of clients are optional: a password will do."""
    return Tls("doors.tls", part.certificate, part.key, part.client_ca, optional=True) if part else None


def _unreadable(path: str, file: Path | None, error: OSError) -> ConfigRefused:
    return ConfigRefused(f"{path}: {file}: {error.strerror}")
