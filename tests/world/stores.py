"""An embedded store of our own with both doors open, in a thread beside the test or in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from clickhouse_driver import Client

from collector.store.bounds import Bounds
from collector.store.doors.accounts import Account, Accounts
from collector.store.doors.http import HttpDoor, serve_http
from collector.store.doors.native import NativeDoor, serve_native
from collector.store.embedded import EmbeddedStore
from collector.store.layout import Layout
from collector.store.migrate import ONE_NODE
from collector.store.rights import FINDINGS, Rights
from tests.world.processes import Process, until

T = TypeVar("T")

ACCOUNTS = (
    Account("default"),
    Account("rootcause", rights=FINDINGS),
    Account("guarded", password="correct horse"),
    Account("writer", rights=Rights(writer=True)),
    Account("owner", rights=Rights(owner=True)),
)


class ServedStore:
    """A store on an event loop of its own, so that tests can be ordinary, blocking clients."""

    def __init__(self, folder: Path, bounds: Bounds, layout: Layout) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="store-loop")
        self._thread.start()
        self.store, self._native, self._http = self.call(_open(folder, bounds, layout))

    @property
    def native_port(self) -> int:
        return self._native.port

    @property
    def url(self) -> str:
        return f"clickhouse://127.0.0.1:{self._native.port}/otel"

    @property
    def rootcause_url(self) -> str:
        return f"clickhouse://rootcause@127.0.0.1:{self._native.port}/otel"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self._http.port}"

    def call(self, work: Coroutine[Any, Any, T], timeout: float = 60) -> T:
        """Runs `work` on the store's loop and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def client(self, user: str = "default", **options: Any) -> Client:
        return Client("127.0.0.1", self.native_port, database="otel", user=user, **options)

    def running_queries(self) -> int:
        """Queries in the engine beside the one that counts them."""
        with self.client() as client:
            return int(client.execute("SELECT count() FROM system.processes")[0][0]) - 1

    def close(self) -> None:
        self.call(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _close(self) -> None:
        await self._http.close()
        await self._native.close()
        await self.store.close()


async def _open(folder: Path, bounds: Bounds, layout: Layout) -> tuple[EmbeddedStore, NativeDoor, HttpDoor]:
    store = EmbeddedStore.open(folder, bounds, layout)
    accounts = Accounts(ACCOUNTS)
    native = await serve_native(store, "127.0.0.1", 0, accounts=accounts)
    return store, native, await serve_http(store, "127.0.0.1", 0, accounts=accounts)


@contextlib.contextmanager
def served_store(folder: Path, bounds: Bounds | None = None, layout: Layout = ONE_NODE) -> Iterator[ServedStore]:
    served = ServedStore(folder, bounds or Bounds(), layout)
    try:
        yield served
    finally:
        served.close()


class StoreProcess:
    """A store with its native door in a process of its own, to be killed and started again."""

    def __init__(self, folder: Path, log: Path, port: int = 0) -> None:
        announced = folder / "port"
        announced.unlink(missing_ok=True)
        self.process = Process("tests.world.stores", str(folder), str(port), log=log)
        until(lambda: announced.exists() or self.process.ended() is not None, "the store to open its door")
        assert self.process.ended() is None, self.process.output()
        self.port: int = json.loads(announced.read_text())
        self.client = Client("127.0.0.1", self.port, user="rootcause", database="otel")

    def url(self, user: str = "default") -> str:
        return f"clickhouse://{user}@127.0.0.1:{self.port}/otel"

    def end(self) -> None:
        self.client.disconnect()
        self.process.kill()


async def _serve(folder: Path, port: int) -> None:
    store = EmbeddedStore.open(folder / "data")
    door = await serve_native(store, "127.0.0.1", port, accounts=Accounts(ACCOUNTS))
    written = folder / "port.part"
    written.write_text(json.dumps(door.port))
    written.rename(folder / "port")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
