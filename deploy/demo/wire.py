"""The links of the demo: relays TCP to each instance's proxy, and delays it when told to.

In: connections on each instance's `address`. Out: the same bytes in the same order to its sidecar, later by half the
ordered delay in each direction. A slow link is slow for real: the mesh is not told, it has to notice.
Orders on a loopback port: PUT /links/{instance} {"listen", "target"}; DELETE it; PUT /links/{instance}/delay {"ms"}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from dataclasses import dataclass

from aiohttp import web

CHUNK_BYTES = 65_536
CHUNKS_UNDER_WAY = 64  # in one direction of one connection; more stops the sender, as a full pipe does


@dataclass
class Delay:
    """What a link adds to each round trip; shared by all of its connections."""

    milliseconds: float = 0.0

    @property
    def one_way_s(self) -> float:
        """The share of one direction, in seconds."""
        return self.milliseconds / 2000


class Link:
    """One listening relay and the connections that go through it."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()
        self.delay = Delay()

    async def listen(self, address: str) -> None:
        """Relays every connection from now on; raises OSError when it cannot listen."""
        self._server = await asyncio.start_server(self._accept, *_host_port(address))

    async def close(self) -> None:
        """Listens no more and cuts what goes through."""
        if self._server:
            self._server.close()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._relays.add(task)
        try:
            there = await asyncio.open_connection(*_host_port(self._target))
        except OSError:
            writer.transport.abort()
        else:
            await self._relay(reader, writer, *there)
        finally:
            self._relays.discard(task)

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there_reader: asyncio.StreamReader,
        there_writer: asyncio.StreamWriter,
    ) -> None:
        try:
            async with asyncio.TaskGroup() as directions:
                directions.create_task(_carry(reader, there_writer, self.delay))
                directions.create_task(_carry(there_reader, writer, self.delay))
        except* (OSError, asyncio.CancelledError):
            writer.transport.abort()
            there_writer.transport.abort()
        else:
            writer.close()
            there_writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: Delay) -> None:
    """One direction until its end: each chunk is due a delay after it came, and none overtakes another."""
    clock = asyncio.get_running_loop().time
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS_UNDER_WAY)

    async def receive() -> None:
        data = b"more"
        while data:
            data = await reader.read(CHUNK_BYTES)
            await under_way.put((clock() + delay.one_way_s, data))

    async def deliver() -> None:
        while True:
            due, data = await under_way.get()
            if (early := due - clock()) > 0:
                await asyncio.sleep(early)
            if not data:
                break
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    async with asyncio.TaskGroup() as both:
        both.create_task(receive())
        both.create_task(deliver())


def _host_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


class Wire:
    """All links of one demo, by instance."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}

    def application(self) -> web.Application:
        """The orders a demo gives."""
        app = web.Application()
        app.router.add_get("/readyz", self._ready)
        app.router.add_put("/links/{instance}", self._open)
        app.router.add_delete("/links/{instance}", self._close)
        app.router.add_put("/links/{instance}/delay", self._delay)
        return app

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(text="ready\n")

    async def _open(self, request: web.Request) -> web.Response:
        order = await request.json()
        link = Link(order["target"])
        try:
            await link.listen(order["listen"])
        except OSError as error:
            return web.json_response({"error": f"{order['listen']}: {error.strerror}"}, status=409)
        self.links[request.match_info["instance"]] = link
        return web.Response(status=204)

    async def _close(self, request: web.Request) -> web.Response:
        await self.links.pop(request.match_info["instance"]).close()
        return web.Response(status=204)

    async def _delay(self, request: web.Request) -> web.Response:
        order = await request.json()
        self.links[request.match_info["instance"]].delay.milliseconds = float(order["ms"])
        return web.Response(status=204)


async def _application() -> web.Application:
    wire = Wire()
    for instance, (listen, target) in json.loads(os.environ["LINKS"]).items():
        wire.links[instance] = Link(target)
        await wire.links[instance].listen(listen)
    return wire.application()


def main() -> None:
    """Serves the links of LINKS ({instance: [listen, target]}) and those ordered later, until SIGTERM."""
    web.run_app(
        _application(),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        print=None,
        access_log=None,
        shutdown_timeout=0.5,
    )


if __name__ == "__main__":
    main()
