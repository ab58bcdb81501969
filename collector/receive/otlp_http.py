"""OTLP/HTTP: POST /v1/traces, /v1/metrics, /v1/logs in protobuf or JSON, plain, gzip or zstd.

In: bodies. Out: answers in the request's own content type, errors as google.rpc.Status.
Source: OTLP specification 1.x, "OTLP/HTTP".
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.code_pb2 import INTERNAL, UNIMPLEMENTED
from google.rpc.status_pb2 import Status

from collector.errors import CollectorError, Unsupported
from collector.ingest import Ingest
from collector.receive.budget import Budget
from collector.receive.http_body import Bounds, read_body, sender
from collector.receive.http_errors import failure
from collector.receive.repeats import BATCH_HEADER, batch_id
from collector.receive.request import Coding, Form
from collector.receive.signals import Signal
from collector.receive.tenants import Tenants

log = logging.getLogger("whymesh.collector")

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
CODINGS: dict[str, Coding] = {"identity": "identity", "gzip": "gzip", "zstd": "zstd"}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HttpReceiver:
    """The three routes."""

    def __init__(self, ingest: Ingest, budget: Budget, tenants: Tenants, body_s: float) -> None:
        self._ingest = ingest
        self._bounds = Bounds(ingest.limit, body_s)
        self._budget = budget
        self._tenants = tenants

    def application(self) -> web.Application:
        application = web.Application(middlewares=[_as_status])
        application.add_routes([web.post(signal.path, self._export(signal)) for signal in Signal])
        return application

    def _export(self, signal: Signal) -> _Handler:
        async def export(request: web.Request) -> web.Response:
            try:
                form = _form(request)
                tenant = sender(self._tenants, request)
                with self._budget.share() as share:
                    body = await read_body(request, self._bounds, share)
                    tenant.spend(len(body))
                    taken = await self._ingest.take(signal, body, form)
            except CollectorError as error:
                self._ingest.refuse(signal, error)
                raise
            return _response(request, HTTPStatus.OK, signal.answer(taken.rejected, taken.message))

        return export


def _form(request: web.Request) -> Form:
    """Raises Unsupported for what OTLP does not speak."""
    if request.content_type not in (PROTOBUF, JSON):
        raise Unsupported(f"send {PROTOBUF} or {JSON}, not {request.content_type}")
    name = request.headers.get("Content-Encoding", "identity").lower()
    coding = CODINGS.get(name)
    if coding is None:
        raise Unsupported("send the body plain or with Content-Encoding: gzip or zstd")
    batch = batch_id(request.headers.get(BATCH_HEADER))
    return Form(json=request.content_type == JSON, coding=coding, batch=batch)


@web.middleware
async def _as_status(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Turns every failure into a google.rpc.Status; the connection closes when its body was not read."""
    try:
        return await handler(request)
    except CollectorError as error:
        told = failure(error)
        return _failure(request, told.status, told.code, str(error), told.headers)
    except web.HTTPException as error:
        kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        message = f"{request.method} {request.path}: {error.reason}"
        return _failure(request, HTTPStatus(error.status), UNIMPLEMENTED, message, kept)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return _failure(request, HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL, "a defect in the collector; see its log")


def _failure(
    request: web.Request, status: HTTPStatus, code: int, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    response = _response(request, status, Status(code=code, message=message))
    response.headers.update(headers or {})
    if not request.content.at_eof():
        response.force_close()
    return response


def _response(request: web.Request, status: HTTPStatus, message: Message) -> web.Response:
    if request.content_type == PROTOBUF:
        return web.Response(status=status, body=message.SerializeToString(), content_type=PROTOBUF)
    text = json_format.MessageToJson(message, indent=None)
    return web.Response(status=status, text=text, content_type=JSON)
