"""The demo's own port: takes orders to break things from other terminals, and says how the shop fares.

GET /status; POST /faults {"service", "kind", "amount", "instance"}; DELETE /faults/{service}. Loopback, and JSON bodies
only: a page in the operator's browser cannot send one to another origin without a permission it does not get here.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from deploy.demo.faults import Faults
from deploy.demo.order import order
from deploy.demo.topology import BY_NAME
from deploy.local.ports import LOOPBACK, PortTaken
from deploy.local.supervise import StartFailed


def application(faults: Faults) -> web.Application:
    """The routes of the port."""

    async def status(_: web.Request) -> web.Response:
        return web.json_response({"faults": {name: str(active) for name, active in faults.active.items()}})

    async def inject(request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return _error("expected application/json", 415)
        try:
            wanted: dict[str, Any] = await request.json()
            await faults.inject(order(**wanted))
        except (ValueError, TypeError) as error:  # BadOrder and NoSuchInstance are ValueErrors
            return _error(str(error), 400)
        except (StartFailed, PortTaken) as error:
            return _error(str(error), 500)
        return web.Response(status=204)

    async def clear(request: web.Request) -> web.Response:
        service = request.match_info["service"]
        if service not in BY_NAME:
            return _error(f"no service {service!r} in the shop; there are: {', '.join(BY_NAME)}", 400)
        await faults.clear(service)
        return web.Response(status=204)

    app = web.Application(client_max_size=4096)
    app.router.add_get("/status", status)
    app.router.add_post("/faults", inject)
    app.router.add_delete("/faults/{service}", clear)
    return app


def _error(message: str, status: int) -> web.Response:
    return web.json_response({"error": message}, status=status)


async def listen(faults: Faults, port: int) -> web.AppRunner:
    """Serves orders until the runner is cleaned up."""
    runner = web.AppRunner(application(faults), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    return runner
