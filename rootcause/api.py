"""The engine's HTTP API: what is wrong now, incidents, single requests, health and metrics. In: requests. Out: JSON."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from collector.store.errors import QueryFailed, StoreUnavailable
from rootcause.explain.finding import Finding
from rootcause.explain.trace_story import tell
from rootcause.incidents.casebook import Casebook
from rootcause.incidents.journal import Journal
from rootcause.load.traced import TracedSpan
from rootcause.orders import Orders, problem
from rootcause.promises.alarm_book import AlarmBook
from rootcause.promises.alarm_rows import AlarmRows
from rootcause.promises.alarms import Alarm
from rootcause.watch import Answer

F = TypeVar("F", Finding, Alarm)


class Api:
    """Serves the last answer of the engine. What is open it knows from `book` and `alarms`, better than the store does;
    it reads the rest through `journal` and `rows`, and the spans of single requests by `read_request`, one query at a
    time."""

    def __init__(
        self,
        answer: Callable[[], Answer],
        ready: Callable[[], bool],
        book: Casebook,
        journal: Journal,
        alarms: AlarmBook,
        rows: AlarmRows,
        read_request: Callable[[str], list[TracedSpan]],
        orders: Orders,
        metrics: CollectorRegistry,
    ) -> None:
        self._answer = answer
        self._ready = ready
        self._book = book
        self._journal = journal
        self._alarms = alarms
        self._rows = rows
        self._read_request = read_request
        self._orders = orders
        self._metrics = metrics
        self._one_at_a_time = asyncio.Lock()

    def application(self) -> web.Application:
        """All routes."""
        app = web.Application()
        app.router.add_get("/v1/why", self._why)
        app.router.add_get("/v1/incidents", self._incidents)
        app.router.add_get("/v1/incidents/{id}", self._incident)
        app.router.add_get("/v1/alarms", self._list_alarms)
        app.router.add_get("/v1/alarms/{id}", self._alarm)
        app.router.add_get("/v1/traces/{id}", self._trace)
        self._orders.add_to(app)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._show_metrics)
        return app

    async def _why(self, _: web.Request) -> web.Response:
        answer = self._answer()
        return web.json_response(
            {
                "state": answer.state,
                "summary": answer.summary,
                "blind": answer.blind,
                "finding": answer.finding.model_dump(mode="json") if answer.finding else None,
                "also": [finding.model_dump(mode="json") for finding in answer.also],
                "checked": answer.checked,
                "alarms": [alarm.model_dump(mode="json") for alarm in self._alarms.open],
            }
        )

    async def _incidents(self, request: web.Request) -> web.Response:
        stored = await self._read(lambda: self._journal.incidents(request.query.get("service", "")))
        found: list[Finding] = _newest(stored, self._book.open)
        return web.json_response({"incidents": [finding.model_dump(mode="json") for finding in found]})

    async def _incident(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        finding: Finding | None = _of(id, self._book.open) or await self._read(lambda: self._journal.incident(id))
        if finding is None:
            raise problem(web.HTTPNotFound, f"there is no incident {id}; /v1/incidents lists them")
        return web.json_response(finding.model_dump(mode="json"))

    async def _list_alarms(self, _: web.Request) -> web.Response:
        found: list[Alarm] = _newest(await self._read(self._rows.newest), self._alarms.open)
        return web.json_response({"alarms": [alarm.model_dump(mode="json") for alarm in found]})

    async def _alarm(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        alarm: Alarm | None = _of(id, self._alarms.open) or await self._read(lambda: self._rows.alarm(id))
        if alarm is None:
            raise problem(web.HTTPNotFound, f"there is no alarm {id}; /v1/alarms lists them")
        return web.json_response(alarm.model_dump(mode="json"))

    async def _trace(self, request: web.Request) -> web.Response:
        id = request.match_info["id"]
        spans: list[TracedSpan] = await self._read(lambda: self._read_request(id))
        if not spans:
            why = "it was not recorded, is not here yet (a second or two), or was deleted for its age"
            raise problem(web.HTTPNotFound, f"no span of a request {id} is stored: {why}")
        return web.json_response(tell(spans).model_dump(mode="json"))

    async def _read(self, query: Callable[[], Any]) -> Any:
        async with self._one_at_a_time:
            try:
                return await asyncio.to_thread(query)
            except (StoreUnavailable, QueryFailed) as error:
                raise problem(web.HTTPServiceUnavailable, str(error)) from None

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        if not self._ready():
            raise web.HTTPServiceUnavailable(text="the store has not answered yet\n")
        return web.Response(text="ready\n")

    async def _show_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _of(id: str, open_now: Iterable[F]) -> F | None:
    return next((one for one in open_now if one.id == id), None)


def _newest(stored: Iterable[F], open_now: Iterable[F]) -> list[F]:
    """The stored ones as they are now: a row is up to a minute behind."""
    known = {one.id: one for one in open_now}
    return [known.get(one.id, one) for one in stored]
