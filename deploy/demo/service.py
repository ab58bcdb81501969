"""One service of the shop as its team would write it: an aiohttp application that calls others by name.

In: SERVICE (whose routes), PORT, HTTP_PROXY (the sidecar) from the environment. Out: JSON answers.
It knows nothing of the mesh but two things every user has to do: calls go through HTTP_PROXY, and `traceparent` and
`tracestate` of the request being served are copied to the calls it causes. `CATALOG_URL` and the like replace
`http://catalog` where there is no mesh to find it.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import aiohttp
from aiohttp import web

from deploy.demo.misbehave import Broken, Misbehaviour
from deploy.demo.topology import BY_NAME, Call, Route, Shop

CARRIED = ("traceparent", "tracestate")
PRODUCTS = 40
USERS = 200
JITTER = 0.25  # sigma of the lognormal waiting time
TIMEOUT_S = 20.0
KEEP_ALIVE_S = 120.0  # longer than a proxy keeps an idle connection, so that it is never the one to be surprised

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SESSION = web.AppKey("session", aiohttp.ClientSession)


class CallFailed(Exception):
    """A service that this one needs failed or did not answer."""


def application(shop: Shop, environment: Mapping[str, str]) -> web.Application:
    """The routes of one service, its health, and the port through which its own faults are ordered."""
    misbehaviour = Misbehaviour()
    if born_with := environment.get("FAULT"):
        name, _, value = born_with.partition("=")
        misbehaviour.change(**{name: float(value)})

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text="ready\n")

    async def order_fault(request: web.Request) -> web.Response:
        misbehaviour.change(**await request.json())
        return web.Response(status=204)

    async def session(app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(
            proxy=environment.get("HTTP_PROXY"),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            connector=aiohttp.TCPConnector(limit=0),
        ) as app[SESSION]:
            yield

    app = web.Application()
    app.cleanup_ctx.append(session)
    app.router.add_get("/readyz", ready)
    app.router.add_post("/_fault", order_fault)
    for route in shop.routes:
        app.router.add_route(route.method, route.path, _handler(route, misbehaviour, environment))
    return app


def _handler(route: Route, misbehaviour: Misbehaviour, environment: Mapping[str, str]) -> Handler:
    """Serves one route: its own work, then each stage of calls; 500 for a failure of its own, 502 for another's."""

    async def handle(request: web.Request) -> web.Response:
        try:
            await misbehaviour.suffer()
            await _work(route)
            for stage in route.stages:
                await asyncio.gather(*(_call(request, call, environment) for call in stage))
        except Broken:
            return web.json_response({"error": "cannot serve this"}, status=500)
        except CallFailed as error:
            return web.json_response({"error": str(error)}, status=502)
        return web.json_response({"served": request.path})

    return handle


async def _work(route: Route) -> None:
    """Computes a little and waits as if for a database."""
    until = time.perf_counter() + route.compute_ms / 1000
    while time.perf_counter() < until:
        sum(i * i for i in range(50))
    await asyncio.sleep(random.lognormvariate(math.log(route.wait_ms), JITTER) / 1000)


async def _call(request: web.Request, call: Call, environment: Mapping[str, str]) -> None:
    ids = {
        "id": request.match_info.get("id") or random.randrange(PRODUCTS),
        "user": request.match_info.get("user") or random.randrange(USERS),
    }
    base = environment.get(f"{call.service.upper()}_URL", f"http://{call.service}")
    carried = {name: request.headers[name] for name in CARRIED if name in request.headers}
    try:
        async with request.app[SESSION].request(call.method, base + call.path.format(**ids), headers=carried) as answer:
            await answer.read()
            if answer.status >= 500:
                raise CallFailed(f"{call.service} answered {answer.status}")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CallFailed(f"{call.service}: {error or type(error).__name__}") from error


def main() -> None:
    """Serves until SIGTERM."""
    shop = BY_NAME[os.environ["SERVICE"]]
    web.run_app(
        application(shop, os.environ),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        print=None,
        access_log=None,
        shutdown_timeout=1.0,
        keepalive_timeout=KEEP_ALIVE_S,
    )


if __name__ == "__main__":
    main()
