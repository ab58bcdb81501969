"""The configuration over HTTP: every kind that a file can say, read and written, one by one or several at once.

GET    /v1/config                               every document in force, with where it comes from
POST   /v1/config                               {"apply": [documents], "delete": [keys]}: all of it, or nothing
GET    /v1/config/{kind}/{namespace}/{name}     one document, with metadata.resourceVersion
PUT    /v1/config/{kind}/{namespace}/{name}     writes it; with metadata.resourceVersion only if it is still of that one
DELETE /v1/config/{kind}/{namespace}/{name}     the same with ?resourceVersion=
GET    /v1/history, /v1/history/{epoch}         every epoch: who, when, what; what it did to each document
POST   /v1/rollback                             {"epoch": 7}: the documents as they were then

`?dryRun=true` says what a change would do, and does nothing.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from proxy.control.api.answers import refused, shown, told, told_epoch, versioned
from proxy.control.api.bodies import (
    documents_of,
    edit_of,
    is_dry,
    json_object,
    key_of_path,
    number,
    version_of,
)
from proxy.control.api.callers import Callers
from proxy.control.epochs.edits import Edit, Gone
from proxy.control.epochs.in_force import InForce, Outcome
from proxy.control.epochs.written import Written
from proxy.control.errors import NoDocument

_MOST_EPOCHS = 1_000
_ONE = "/v1/config/{kind}/{namespace}/{name}"


class ConfigApi:
    """Routes over what is in force."""

    def __init__(self, in_force: InForce, callers: Callers) -> None:
        self._in_force = in_force
        self._callers = callers

    def routes(self) -> list[web.RouteDef]:
        """Each answers a refusal as JSON: `error`, and what else helps."""
        return [
            web.get("/v1/config", told(self._list)),
            web.post("/v1/config", told(self._apply)),
            web.get(_ONE, told(self._get)),
            web.put(_ONE, told(self._put)),
            web.delete(_ONE, told(self._delete)),
            web.get("/v1/history", told(self._history)),
            web.get("/v1/history/{epoch}", told(self._epoch)),
            web.post("/v1/rollback", told(self._roll_back)),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        self._callers.actor(request)
        wanted = {name: request.query[name] for name in ("kind", "namespace", "name") if name in request.query}
        found = [
            self._shown(one)
            for one in self._in_force.documents
            if all(getattr(one.key, name) == value for name, value in wanted.items())
        ]
        gone = [str(key) for key, said in self._in_force.overlaid.said.items() if said.written is None]
        return web.json_response({"epoch": self._in_force.epoch, "documents": found, "deleted": sorted(gone)})

    def _shown(self, one: Written) -> dict[str, Any]:
        said = self._in_force.overlaid.said.get(one.key)
        over = said is not None and said.over is not None
        return {"origin": one.origin, "overFile": over, "document": self._versioned(one)}

    def _versioned(self, one: Written) -> dict[str, Any]:
        return versioned(one.raw, self._in_force.versions[one.key])

    async def _get(self, request: web.Request) -> web.Response:
        self._callers.actor(request)
        key = key_of_path(request)
        found = next((one for one in self._in_force.documents if one.key == key), None)
        if found is None:
            raise NoDocument(f"there is no {key}")
        return web.json_response(self._versioned(found))

    async def _apply(self, request: web.Request) -> web.Response:
        actor, edit = self._callers.actor(request), edit_of(await json_object(request))
        return self._answer(await self._in_force.edit(edit, actor, dry=is_dry(request)))

    async def _put(self, request: web.Request) -> web.Response:
        actor, key, body = self._callers.actor(request), key_of_path(request), await json_object(request)
        puts = documents_of([("document", body)])
        if puts[0].key != key:
            raise refused(web.HTTPBadRequest, f"the document is {puts[0].key}, and the path says {key}")
        return self._answer(await self._in_force.edit(Edit(puts), actor, dry=is_dry(request)))

    async def _delete(self, request: web.Request) -> web.Response:
        actor = self._callers.actor(request)
        gone = Gone(key_of_path(request), version_of(request.query.get("resourceVersion")))
        return self._answer(await self._in_force.edit(Edit(gone=(gone,)), actor, dry=is_dry(request)))

    async def _history(self, request: web.Request) -> web.Response:
        self._callers.actor(request)
        most = min(number(request.query.get("limit", "50"), "limit"), _MOST_EPOCHS)
        before = number(request.query["before"], "before") if "before" in request.query else None
        return web.json_response({"epochs": [told_epoch(one) for one in self._in_force.state.history(most, before)]})

    async def _epoch(self, request: web.Request) -> web.Response:
        self._callers.actor(request)
        asked = number(request.match_info["epoch"], "epoch")
        found = self._in_force.state.epoch(asked)
        if found is None:
            raise NoDocument(f"epoch {asked} is not in the history")
        revisions = [shown(one) for one in self._in_force.state.revisions(asked)]
        return web.json_response({**told_epoch(found), "documents": revisions})

    async def _roll_back(self, request: web.Request) -> web.Response:
        actor, body = self._callers.actor(request), await json_object(request)
        epoch = body.get("epoch")
        if not isinstance(epoch, int) or isinstance(epoch, bool) or not 0 < epoch < 2**62 or body.keys() != {"epoch"}:
            raise refused(web.HTTPBadRequest, 'expected {"epoch": number}')
        return self._answer(await self._in_force.roll_back(epoch, actor, dry=is_dry(request)))

    def _answer(self, outcome: Outcome) -> web.Response:
        """What was done, or would be: a script reads the versions from it, a person the words."""
        return web.json_response(
            {
                "epoch": outcome.epoch,
                "documents": [shown(one) for one in outcome.revisions],
                "changes": [change.summary for change in outcome.changes],
                "proxies": list(outcome.told),
            }
        )
