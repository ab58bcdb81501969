"""Recording over HTTP.

GET    /v1/recording             services that record everything, and the seconds left
POST   /v1/recording             {"services": ["payments"], "for_s": 300}
DELETE /v1/recording/{service}   its settings hold again
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from proxy.control.api.answers import refused, told
from proxy.control.api.bodies import json_object
from proxy.control.api.callers import Callers
from proxy.control.recording import LONGEST_S, Recording

MOST = 100


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    services: Annotated[list[str], Field(min_length=1, max_length=MOST)]
    for_s: Annotated[float, Field(gt=0, le=LONGEST_S)] = 300.0


class RecordingDoor:
    """Routes over the orders; `clock` is theirs."""

    def __init__(self, recording: Recording, callers: Callers, clock: Callable[[], float]) -> None:
        self._recording, self._callers, self._clock = recording, callers, clock

    def routes(self) -> list[web.RouteDef]:
        """To be added to an application."""
        return [
            web.get("/v1/recording", self._show),
            web.post("/v1/recording", told(self._order)),
            web.delete("/v1/recording/{service}", told(self._end)),
        ]

    async def _show(self, _: web.Request) -> web.Response:
        now, until = self._clock(), self._recording.until
        return web.json_response({"services": {name: round(max(end - now, 0.0), 1) for name, end in until.items()}})

    async def _order(self, request: web.Request) -> web.Response:
        actor = self._callers.actor(request)
        try:
            order = _Order.model_validate(await json_object(request))
        except ValidationError as error:
            first = error.errors()[0]
            raise refused(web.HTTPBadRequest, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        await self._recording.order(order.services, order.for_s, actor)
        return web.Response(status=204)

    async def _end(self, request: web.Request) -> web.Response:
        await self._recording.end(request.match_info["service"], self._callers.actor(request))
        return web.Response(status=204)
