"""Identities over HTTP.

POST /v1/identities/{proxy}     {"service", "csr", "token" or "proof"}: a certificate with its chain and the roots to
                                trust; 403 with a sentence, a code and the time for whoever gets none
GET  /v1/authority              what signs, until when, and what a rotation waits for
"""

from __future__ import annotations

from aiohttp import web
from pydantic import ValidationError

from proxy.control.authority.desk import Wish
from proxy.control.authority.errors import Refused
from proxy.control.authority.office import Office
from proxy.control.errors import UnknownProxy


class IdentityDoor:
    """Routes over one office."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def routes(self) -> list[web.RouteDef]:
        """To be added to an application."""
        return [
            web.post("/v1/identities/{proxy}", self._issue),
            web.get("/v1/authority", self._show),
        ]

    async def _issue(self, request: web.Request) -> web.Response:
        try:
            wish = Wish.model_validate_json(await request.read())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(step) for step in first["loc"])
            return _no(f"not a request for an identity: {where}: {first['msg']}", "request_malformed", 400)
        try:
            grant = await self._office.serve(request.match_info["proxy"], wish, caller=f"from {request.remote}")
        except UnknownProxy as error:
            return _no(str(error), "unknown_proxy", 404)
        except Refused as error:
            return _no(str(error), error.code, 403, now=self._office.now())
        if grant is None:
            return _no("this mesh has no authority; Mesh spec.authority makes one", "no_authority", 409)
        return web.Response(body=grant.model_dump_json(), content_type="application/json")

    async def _show(self, _: web.Request) -> web.Response:
        shown = self._office.shown()
        if shown is None:
            return _no("this mesh has no authority; Mesh spec.authority makes one", "no_authority", 404)
        return web.json_response(shown)


def _no(sentence: str, code: str, status: int, **more: float) -> web.Response:
    return web.json_response({"error": sentence, "code": code, **more}, status=status)
