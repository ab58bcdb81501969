"""The part of the HTTP API by which people act: acknowledge, note, silence, try the webhooks.

In: requests with JSON. Out: what holds now, as JSON. Never: an order from a web page of another origin, for a browser
sends JSON abroad only after asking, and nobody answers that here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from collector.store.errors import QueryFailed, StoreUnavailable
from rootcause.alerts.notice import of_alarm, of_finding
from rootcause.alerts.notify import Notifier
from rootcause.alerts.trial import trial
from rootcause.explain.finding import Finding, Note
from rootcause.incidents.casebook import Casebook
from rootcause.incidents.silences import Silence
from rootcause.promises.alarm_book import AlarmBook
from rootcause.promises.alarms import Alarm

LONGEST_SILENCE_S = 30 * 86_400
_Text = Annotated[str, Field(max_length=2_000)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]

T = TypeVar("T")
B = TypeVar("B", bound="_Body")
F = TypeVar("F", Finding, Alarm)


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    by: _Name


class _Said(_Body):
    text: _Text = ""


class _Noted(_Body):
    text: Annotated[_Text, Field(min_length=1)]


class _Hush(_Body):
    because: Annotated[_Text, Field(min_length=1)]
    for_s: Annotated[float, Field(gt=0, le=LONGEST_SILENCE_S)]


class Orders:
    """Carries out what people order, and tells the webhooks of it by `notifier`."""

    def __init__(self, book: Casebook, alarms: AlarmBook, notifier: Notifier) -> None:
        self._book = book
        self._alarms = alarms
        self._tell = notifier.tell
        self._notifier = notifier
        self._trying = asyncio.Lock()

    def add_to(self, app: web.Application) -> None:
        """Adds the routes."""
        app.router.add_post("/v1/incidents/{id}/acknowledge", self._acknowledge)
        app.router.add_post("/v1/incidents/{id}/notes", self._note)
        app.router.add_post("/v1/alarms/{id}/acknowledge", self._acknowledge_alarm)
        app.router.add_post("/v1/alarms/{id}/notes", self._note_alarm)
        app.router.add_get("/v1/silences", self._silences)
        app.router.add_put("/v1/silences/{service}", self._silence)
        app.router.add_delete("/v1/silences/{service}", self._end_silence)
        app.router.add_get("/v1/webhooks", self._webhooks)
        app.router.add_post("/v1/webhooks/test", self._test)

    async def _acknowledge(self, request: web.Request) -> web.Response:
        note = await _note(request, _Said)
        finding = await _found(request, "incident", lambda id: self._book.acknowledge(id, note))
        if not finding.held_back:
            self._tell("acknowledged", of_finding(finding))
        return web.json_response(finding.model_dump(mode="json"))

    async def _note(self, request: web.Request) -> web.Response:
        note = await _note(request, _Noted)
        finding = await _found(request, "incident", lambda id: self._book.note(id, note))
        return web.json_response(finding.model_dump(mode="json"))

    async def _acknowledge_alarm(self, request: web.Request) -> web.Response:
        note = await _note(request, _Said)
        alarm = await _found(request, "alarm", lambda id: self._alarms.acknowledge(id, note))
        self._tell("acknowledged", of_alarm(alarm))
        return web.json_response(alarm.model_dump(mode="json"))

    async def _note_alarm(self, request: web.Request) -> web.Response:
        note = await _note(request, _Noted)
        alarm = await _found(request, "alarm", lambda id: self._alarms.note(id, note))
        return web.json_response(alarm.model_dump(mode="json"))

    async def _silences(self, _: web.Request) -> web.Response:
        in_force = self._book.silences(datetime.now(UTC).timestamp())
        return web.json_response({"silences": [silence.model_dump(mode="json") for silence in in_force]})

    async def _silence(self, request: web.Request) -> web.Response:
        hush = await _body(request, _Hush)
        now = datetime.now(UTC)
        until = now + timedelta(seconds=hush.for_s)
        silence = Silence(service=request.match_info["service"], until=until, by=hush.by, because=hush.because)
        await _stored(lambda: self._book.silence(silence, now.timestamp()))
        return web.json_response(silence.model_dump(mode="json"))

    async def _end_silence(self, request: web.Request) -> web.Response:
        by = (await _body(request, _Body)).by
        now = datetime.now(UTC)
        over = Silence(service=request.match_info["service"], until=now, by=by, because="ended")
        await _stored(lambda: self._book.silence(over, now.timestamp()))
        return web.json_response(over.model_dump(mode="json"))

    async def _webhooks(self, _: web.Request) -> web.Response:
        told = [
            {
                "target": one.target.name,
                "services": list(one.target.wish.services),
                "severity": one.target.wish.severity,
                "waiting": one.waiting,
                "error": one.error,
            }
            for one in self._notifier.standings()
        ]
        return web.json_response({"webhooks": told})

    async def _test(self, request: web.Request) -> web.Response:
        await _body(request, _Body)
        if self._trying.locked():
            raise problem(web.HTTPConflict, "a test is under way; wait for its end, some seconds")
        opened, resolved = trial(datetime.now(UTC))
        async with self._trying:
            became = await self._notifier.try_out([("opened", of_finding(opened)), ("resolved", of_finding(resolved))])
        told = [{"target": one.target, "delivered": one.delivered, "error": one.error} for one in became]
        return web.json_response({"id": opened.id, "webhooks": told})


def problem(kind: type[web.HTTPException], message: str) -> web.HTTPException:
    """An answer that says what is wrong."""
    return kind(text=json.dumps({"error": message}), content_type="application/json")


async def _note(request: web.Request, shape: type[_Said] | type[_Noted]) -> Note:
    said = await _body(request, shape)
    return Note(time=datetime.now(UTC), by=said.by, text=said.text)


async def _found(request: web.Request, kind: str, order: Callable[[str], F | None]) -> F:
    id = request.match_info["id"]
    found = await _stored(lambda: order(id))
    if found is None:
        raise problem(web.HTTPNotFound, f"there is no {kind} {id}; /v1/{kind}s lists them")
    return found


async def _stored(order: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(order)
    except (StoreUnavailable, QueryFailed) as error:
        raise problem(web.HTTPServiceUnavailable, str(error)) from None


async def _body(request: web.Request, shape: type[B]) -> B:
    if request.content_type != "application/json":
        raise problem(web.HTTPUnsupportedMediaType, "send JSON, with Content-Type: application/json")
    try:
        return shape.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise problem(web.HTTPBadRequest, f"{where}: {first['msg']}") from None
