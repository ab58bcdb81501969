"""Health over HTTP.

GET /v1/health                        each checked instance: its state, since when, and why
PUT /v1/instances/{instance}/health   what an instance says of itself (`spec.health.ttl`): {"well": false, "why": "..."}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from proxy.control.api.callers import Callers
from proxy.control.documents import Service
from proxy.control.health.checks import Checks
from proxy.control.registry import Registry


class _Report(BaseModel):
    model_config = ConfigDict(extra="forbid")
    well: bool
    why: str = Field(default="", max_length=256)


class HealthDoor:
    """Routes over the checks; `registry` gives the one in force, `clock` is that of the checks."""

    def __init__(
        self, checks: Checks, registry: Callable[[], Registry], callers: Callers, clock: Callable[[], float]
    ) -> None:
        self._checks, self._registry, self._callers, self._clock = checks, registry, callers, clock

    def routes(self) -> list[web.RouteDef]:
        """To be added to an application."""
        return [web.get("/v1/health", self._show), web.put("/v1/instances/{instance}/health", self._report)]

    async def _show(self, _: web.Request) -> web.Response:
        checked = [service for service in self._registry().services if service.spec.health]
        return web.json_response({"services": [self._service(service) for service in checked]})

    def _service(self, service: Service) -> dict[str, Any]:
        return {
            "service": service.full_name,
            "panicking": service.full_name in self._checks.verdict.panicking,
            "instances": [self._instance(endpoint.instance) for endpoint in service.spec.endpoints],
        }

    def _instance(self, name: str) -> dict[str, Any]:
        found = self._checks.standing(name)
        return {
            "instance": name,
            "state": found.state if found else "unknown",
            "for_s": round(self._clock() - found.since, 1) if found else 0.0,
            "why": found.why if found else "",
            "called": name not in self._registry().left_out,
        }

    async def _report(self, request: web.Request) -> web.Response:
        if refusal := self._callers.refusal(request):
            return web.json_response({"error": refusal}, status=403)
        try:
            said = _Report.model_validate_json(await request.read())
        except ValidationError as error:
            return web.json_response({"error": f"not a report: {error.errors()[0]['msg']}"}, status=400)
        name = request.match_info["instance"]
        if not self._checks.report(name, None if said.well else said.why or "says so itself"):
            return web.json_response(
                {"error": f"no instance {name} of a Service with spec.health.ttl is in the configuration"}, status=404
            )
        return web.Response(status=204)
