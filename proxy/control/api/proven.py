"""Over TLS a proxy is told only what is for it: it shows its certificate, or what it is about to join with.

In: requests for snapshots and flushes. Out: the same, or 403. What comes over plain HTTP, on the machine itself or a
network that is trusted, is not asked.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

WhyNot = Callable[[str | None, bytes | None, str], Awaitable[str | None]]
_OF_PROXIES = ("/v1/snapshots/", "/v1/flush")


def proven(why_not: WhyNot) -> Middleware:
    """The middleware; `why_not` is `Office.why_not`."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = request.transport.get_extra_info("ssl_object") if request.transport else None
        if connection is None or not request.path.startswith(_OF_PROXIES):
            return await handler(request)
        refusal = await why_not(request.match_info.get("proxy"), _certificate(connection), _token(request))
        if refusal is not None:
            return web.json_response({"error": refusal}, status=403)
        return await handler(request)

    return check


def _certificate(connection: ssl.SSLObject) -> bytes | None:
    return connection.getpeercert(binary_form=True)


def _token(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
