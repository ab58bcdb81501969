"""Registration over HTTP.

POST   /v1/instances                    a `Registration`: begins a lease, or replaces what the instance said before
PUT    /v1/instances/{instance}/lease   lets it begin anew; 404: it has ended, register again
DELETE /v1/instances/{instance}         ends it
GET    /v1/instances                    who is registered, for how much longer
"""

from __future__ import annotations

from typing import Any

from aiohttp import web
from pydantic import ValidationError

from proxy.control.api.answers import told
from proxy.control.api.callers import Callers
from proxy.control.discovery.instance import Registration
from proxy.control.discovery.instances import Instances
from proxy.control.discovery.leases import Lease, Taken, Unknown


class InstanceDoor:
    """Routes over the registered instances."""

    def __init__(self, instances: Instances, callers: Callers) -> None:
        self._instances, self._callers = instances, callers

    def routes(self) -> list[web.RouteDef]:
        """To be added to an application."""
        return [
            web.get("/v1/instances", self._list),
            web.post("/v1/instances", told(self._register)),
            web.put("/v1/instances/{instance}/lease", told(self._renew)),
            web.delete("/v1/instances/{instance}", told(self._leave)),
        ]

    async def _register(self, request: web.Request) -> web.Response:
        if refusal := self._callers.refusal(request):
            return _no(refusal, 403)
        if request.content_type != "application/json":
            return _no("expected a body of Content-Type application/json", 415)
        try:
            registration = Registration.model_validate_json(await request.read())
        except ValidationError as error:
            return _no(f"not a registration: {_first(error)}", 400)
        try:
            await self._instances.register(registration, _actor(request))
        except Taken as error:
            return _no(str(error), 409)
        return web.json_response(_granted(registration), status=201)

    async def _renew(self, request: web.Request) -> web.Response:
        if refusal := self._callers.refusal(request):
            return _no(refusal, 403)
        try:
            lease = self._instances.renew(request.match_info["instance"])
        except Unknown as error:
            return _no(str(error), 404)
        return web.json_response(_granted(lease.registration))

    async def _leave(self, request: web.Request) -> web.Response:
        if refusal := self._callers.refusal(request):
            return _no(refusal, 403)
        try:
            await self._instances.leave(request.match_info["instance"], _actor(request))
        except Unknown as error:
            return _no(str(error), 404)
        return web.Response(status=204)

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response({"instances": [_shown(*each) for each in self._instances.listed()]})


def _shown(lease: Lease, left_s: float, refused: str | None) -> dict[str, Any]:
    said = lease.registration.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"lease"})
    return {
        **said,
        "lease_s": lease.registration.lease / 1_000,
        "left_s": round(max(left_s, 0.0), 1),
        "in_force": refused is None,
        "why": refused,
    }


def _granted(registration: Registration) -> dict[str, Any]:
    """How long the lease is, and when to renew it: twice in its time may be missed."""
    seconds = registration.lease / 1_000
    return {"instance": registration.instance, "lease_s": seconds, "renew_s": seconds / 3}


def _first(error: ValidationError) -> str:
    mistake = error.errors()[0]
    path = ".".join(str(step) for step in mistake["loc"])
    return f"{path}: {mistake['msg']}" if path else mistake["msg"]


def _actor(request: web.Request) -> str:
    return f"registration from {request.remote}"


def _no(error: str, status: int) -> web.Response:
    return web.json_response({"error": error}, status=status)
