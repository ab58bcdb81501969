"""Tokens over HTTP, for whoever is on the machine of the control plane.

GET    /v1/tokens           names, and when each was made
POST   /v1/tokens           {"name": "deploy"}: a token, shown this once
DELETE /v1/tokens/{name}
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from aiohttp import web

from proxy.control.api.answers import refused, told
from proxy.control.api.bodies import json_object
from proxy.control.api.callers import Callers
from proxy.control.errors import NoDocument
from proxy.control.state.tokens import Tokens

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")


class TokenApi:
    """Routes over the tokens of one state."""

    def __init__(self, tokens: Tokens, callers: Callers) -> None:
        self._tokens = tokens
        self._callers = callers

    def routes(self) -> list[web.RouteDef]:
        """For this machine only: a token does not make others."""
        return [
            web.get("/v1/tokens", told(self._list)),
            web.post("/v1/tokens", told(self._make)),
            web.delete("/v1/tokens/{name}", told(self._revoke)),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        self._callers.local(request)
        return web.json_response({"tokens": [{"name": name, "made": made} for name, made in self._tokens.all()]})

    async def _make(self, request: web.Request) -> web.Response:
        self._callers.local(request)
        body = await json_object(request)
        name = body.get("name")
        if body.keys() != {"name"} or not isinstance(name, str) or not _NAME.fullmatch(name):
            raise refused(web.HTTPBadRequest, 'expected {"name": "deploy"}: small letters, digits, dots and dashes')
        return web.json_response({"name": name, "token": self._tokens.make(name, datetime.now(UTC))})

    async def _revoke(self, request: web.Request) -> web.Response:
        self._callers.local(request)
        name = request.match_info["name"]
        if not self._tokens.revoke(name):
            raise NoDocument(f"there is no token {name!r}")
        return web.Response(status=204)
