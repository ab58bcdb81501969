"""The control plane's HTTP door: snapshot streams for proxies, configuration and status for people and scripts.

GET  /v1/snapshots/{proxy}          newline-delimited JSON: the snapshot in force, then each newer one;
                                        blank lines keep the connection alive; {"flush": [trace ids]} between them
POST /v1/snapshots/{proxy}/ack      {"epoch": 7, "accepted": true, "reason": "", "problems": []}
POST /v1/flush                          {"traces": ["0af7651916cd43dd8448eb211c80319c"]}: every proxy sends what it
                                        keeps of them
GET  /v1/status, /v1/registry, /v1/openapi.json, /healthz, /readyz, /metrics
The configuration: api_config.py; tokens: api_tokens.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from proxy.control.api.config import ConfigApi
from proxy.control.api.openapi import described
from proxy.control.api.tokens import TokenApi
from proxy.control.errors import UnknownProxy
from proxy.control.flush import AT_ONCE
from proxy.control.publish import Flush, Publisher
from proxy.control.standings import Acknowledgement

HEARTBEAT_S = 3.0


class _Ack(BaseModel):
    model_config = ConfigDict(extra="forbid")
    epoch: int = Field(ge=1)
    accepted: bool
    reason: str = Field(default="", max_length=4096)
    problems: tuple[Annotated[str, StringConstraints(max_length=500)], ...] = Field(default=(), max_length=32)


class _Flush(BaseModel):
    model_config = ConfigDict(extra="forbid")
    traces: list[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]] = Field(min_length=1, max_length=AT_ONCE)


class Api:
    """Routes over one publisher."""

    def __init__(
        self,
        publisher: Publisher,
        metrics: CollectorRegistry,
        configuration: ConfigApi,
        tokens: TokenApi,
        status: Callable[[], dict[str, Any]],
        knows: Callable[[], bool],
    ) -> None:
        """`knows` is whether there is anything to tell proxies yet."""
        self._now, self._knows = status, knows
        self._publisher = publisher
        self._metrics = metrics
        self._configuration = configuration
        self._tokens = tokens

    def application(self) -> web.Application:
        """The aiohttp application with every route."""
        app = web.Application(client_max_size=64 * 1024)
        app.add_routes(
            [
                web.get("/v1/snapshots/{proxy}", self._stream),
                web.post("/v1/snapshots/{proxy}/ack", self._acknowledge),
                web.post("/v1/flush", self._flush),
                web.get("/v1/status", self._status),
                web.get("/v1/registry", self._registry),
                web.get("/v1/openapi.json", self._openapi),
                *self._configuration.routes(),
                *self._tokens.routes(),
                web.get("/healthz", self._healthy),
                web.get("/readyz", self._ready),
                web.get("/metrics", self._render_metrics),
            ]
        )
        return app

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        proxy = request.match_info["proxy"]
        try:
            self._publisher.registry.proxy(proxy)
        except UnknownProxy as error:
            return web.json_response({"error": str(error)}, status=404)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"})
        await response.prepare(request)
        try:
            async for message in self._publisher.subscribe(proxy, HEARTBEAT_S):
                await response.write(_line(message))
        except (UnknownProxy, ConnectionResetError):
            pass  # it left the configuration, or hung up: the stream ends, and a proxy that asks again is told why
        return response

    async def _acknowledge(self, request: web.Request) -> web.Response:
        proxy = request.match_info["proxy"]
        try:
            self._publisher.registry.proxy(proxy)
            said = _Ack.model_validate_json(await request.read())
        except UnknownProxy as error:
            return web.json_response({"error": str(error)}, status=404)
        except ValidationError as error:
            return web.json_response({"error": f"not an acknowledgement: {error.errors()[0]['msg']}"}, status=400)
        self._publisher.acknowledge(proxy, Acknowledgement(said.epoch, said.accepted, said.reason, said.problems))
        return web.Response(status=204)

    async def _flush(self, request: web.Request) -> web.Response:
        try:
            asked = _Flush.model_validate_json(await request.read())
        except ValidationError as error:
            return web.json_response({"error": f"not traces to flush: {error.errors()[0]['msg']}"}, status=400)
        self._publisher.flush(asked.traces)
        return web.Response(status=204)

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(self._now())

    async def _registry(self, _: web.Request) -> web.Response:
        registry = self._publisher.registry
        services = [s.model_dump(mode="json", by_alias=True) for s in registry.services]
        return web.json_response({"services": services, "left_out": registry.left_out})

    async def _openapi(self, _: web.Request) -> web.Response:
        return web.json_response(described())

    async def _healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        if self._knows():
            return web.Response(text="ready\n")
        return web.Response(text="waiting for the cluster to list what is in it\n", status=503)

    async def _render_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _line(message: bytes | Flush | None) -> bytes:
    """One line of a snapshot stream."""
    match message:
        case None:
            return b"\n"
        case Flush(traces):
            return json.dumps({"flush": traces}).encode() + b"\n"
        case line:
            return line
