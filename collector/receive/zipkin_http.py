"""Zipkin's JSON, version 2: POST /api/v2/spans, plain or gzip, for senders that are not moved to OTLP yet.

In: bodies. Out: 202 once the spans are on disk, errors as one line of text. Rejected spans are counted, not told:
Zipkin's answer has no room for that.
Source: Zipkin API 2.0 (zipkin2-api.yaml).
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from http import HTTPStatus

from aiohttp import web

from collector.errors import CollectorError, Malformed, TooLarge, Unsupported
from collector.ingest import Ingest
from collector.receive.budget import Budget
from collector.receive.http_body import Bounds, read_body, sender
from collector.receive.http_errors import failure
from collector.receive.request import Form
from collector.receive.signals import Signal
from collector.receive.tenants import Tenants
from collector.receive.zipkin import translate

log = logging.getLogger("whymesh.collector")


class ZipkinReceiver:
    """The one route that Zipkin's senders use."""

    def __init__(self, ingest: Ingest, budget: Budget, tenants: Tenants, body_s: float) -> None:
        self._ingest = ingest
        self._bounds = Bounds(ingest.limit, body_s)
        self._budget = budget
        self._tenants = tenants

    def application(self) -> web.Application:
        application = web.Application()
        application.add_routes([web.post("/api/v2/spans", self._post)])
        return application

    async def _post(self, request: web.Request) -> web.Response:
        try:
            if request.content_type != "application/json":
                raise Unsupported(f"send application/json, not {request.content_type}")
            tenant = sender(self._tenants, request)
            with self._budget.share() as share:
                body = await read_body(request, self._bounds, share)
                tenant.spend(len(body))
                plain = _plain(body, request.headers.get("Content-Encoding", "identity").lower(), self._ingest.limit)
                spans = await asyncio.to_thread(translate, plain)
                await self._ingest.take(Signal.TRACES, spans, Form())
        except CollectorError as error:
            self._ingest.refuse(Signal.TRACES, error)
            return _refusal(request, error)
        return web.Response(status=HTTPStatus.ACCEPTED)


def _plain(body: bytes, coding: str, limit: int) -> bytes:
    """Raises Malformed, TooLarge, Unsupported; a bomb costs no more than the limit."""
    if coding == "identity":
        return body
    if coding != "gzip":
        raise Unsupported(f"send the body plain or with Content-Encoding: gzip, not {coding}")
    inflate = zlib.decompressobj(wbits=31)
    try:
        plain = inflate.decompress(body, limit + 1)
    except zlib.error as error:
        raise Malformed(f"expected gzip ({error})") from None
    if len(plain) > limit:
        raise TooLarge(f"the body is more than {limit} bytes: send smaller batches")
    if not inflate.eof:
        raise Malformed("expected gzip (it ends early)")
    return plain


def _refusal(request: web.Request, error: CollectorError) -> web.Response:
    told = failure(error)
    response = web.Response(status=told.status, text=f"{error}\n", headers=told.headers)
    if not request.content.at_eof():
        response.force_close()
    return response
