"""Sends the shop its customers: an open loop of Poisson arrivals, each timed from when it was due.

In: TARGET (front's door) and RATE (requests a second) from the environment. Out: GET /stats on PORT; POST /stop ends
the arrivals and answers when nothing is in flight. Never: fewer requests because the shop is slow ("coordinated
omission"); what a bound on requests in flight keeps back is counted as not sent.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

from deploy.demo.tally import Tally

MOST_IN_FLIGHT = 512
TIMEOUT_S = 20.0
PRODUCTS = 40
VISITS = (("GET", "/", 0.5), ("GET", "/product/{id}", 0.25), ("POST", "/checkout", 0.25))


class Customers:
    """Everyone who visits one shop."""

    def __init__(self, target: str, rate: float) -> None:
        self._target = target
        self._rate = rate
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._gone = asyncio.Event()
        self.tally = Tally()

    async def arrive(self) -> None:
        """Sends requests at exponentially distributed intervals until stopped; late ones at once, none left out."""
        clock = asyncio.get_running_loop().time
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
        ) as session:
            due = clock()
            stopped = asyncio.create_task(self._stop.wait())
            while not stopped.done():
                due += random.expovariate(self._rate)
                await asyncio.wait({stopped}, timeout=max(0.0, due - clock()))
                self._send(session, due)
            await asyncio.gather(*self._tasks)
        self._gone.set()

    def _send(self, session: aiohttp.ClientSession, due: float) -> None:
        if self.tally.in_flight >= MOST_IN_FLIGHT:
            self.tally.not_sent += 1
            return
        self.tally.started += 1
        task = asyncio.create_task(self._visit(session, due))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _visit(self, session: aiohttp.ClientSession, due: float) -> None:
        method, path, _ = random.choices(VISITS, weights=[share for _, _, share in VISITS])[0]
        try:
            async with session.request(method, self._target + path.format(id=random.randrange(PRODUCTS))) as answer:
                await answer.read()
                failure = str(answer.status) if answer.status >= 500 else ""
        except (aiohttp.ClientError, TimeoutError) as error:
            failure = type(error).__name__
        now = asyncio.get_running_loop().time()
        self.tally.end(now, now - due, failure)

    async def leave(self) -> None:
        """Ends the arrivals; returns when the last request is answered."""
        self._stop.set()
        await self._gone.wait()


def application(customers: Customers) -> web.Application:
    """The generator's own port."""

    async def arrivals(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(customers.arrive())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def stats(_: web.Request) -> web.Response:
        return web.json_response(customers.tally.report(asyncio.get_running_loop().time()))

    async def stop(_: web.Request) -> web.Response:
        await customers.leave()
        return web.json_response(customers.tally.report(asyncio.get_running_loop().time()))

    app = web.Application()
    app.cleanup_ctx.append(arrivals)
    app.router.add_get("/stats", stats)
    app.router.add_post("/stop", stop)
    return app


async def _application() -> web.Application:
    return application(Customers(os.environ["TARGET"], float(os.environ["RATE"])))


def main() -> None:
    """Runs until SIGTERM."""
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
