"""Both homes of the store behind one face: embedded in this process, or a ClickHouse server in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from clickhouse_driver import Client

from collector.store.home import Store
from collector.store.server import ServerStore
from collector.store.url import StoreUrl
from tests.world.stores import StoreProcess, served_store

T = TypeVar("T")
Kind = Literal["embedded", "server"]


class Home:
    """A store to be called from a test that has no event loop, and the address where its rows are read."""

    def __init__(self, loop: asyncio.AbstractEventLoop, store: Store, url: str) -> None:
        self._loop = loop
        self.store = store
        self.url = url

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return called(self._loop, work)


@contextlib.contextmanager
def home(kind: Kind, folder: Path) -> Iterator[Home]:
    """A store of this kind without rows."""
    if kind == "embedded":
        with served_store(folder) as served:
            yield Home(served.loop, served.store, served.url)
    else:
        with served_elsewhere(folder) as server, server_home(server.url("owner")) as opened:
            yield opened


@contextlib.contextmanager
def served_elsewhere(folder: Path, *, tables: bool = False) -> Iterator[StoreProcess]:
    """A ClickHouse server: our own doors, in a process of their own; without `tables` it has never heard of us."""
    folder.mkdir(exist_ok=True)
    server = StoreProcess(folder, folder / "server.log")
    try:
        if not tables:
            _emptied(server)
        yield server
    finally:
        server.end()


def _emptied(server: StoreProcess) -> None:
    with Client("127.0.0.1", server.port, user="owner") as client:
        tables = client.execute("SELECT name, engine FROM system.tables WHERE database = 'otel'")
        for name, engine in sorted(tables, key=lambda table: "View" not in table[1]):
            client.execute(f"DROP {'VIEW' if 'View' in engine else 'TABLE'} otel.{name}")


@contextlib.contextmanager
def server_home(url: str) -> Iterator[Home]:
    """The server at this address as a home."""
    with event_loop() as loop:
        store = called(loop, ServerStore.open(StoreUrl.parse(url)))
        try:
            yield Home(loop, store, url)
        finally:
            called(loop, store.close())


@contextlib.contextmanager
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One that runs in a thread beside the test."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def called(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result(60)
