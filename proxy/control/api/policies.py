"""Policies over HTTP.

POST /v1/policies/check   {"caller": "orders", "to": "payments", "method": "POST", "path": "/pay"}: the decision of the
                          proxies, by the policies in force; for whoever may read these
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from pydantic import ValidationError

from proxy.control.api.answers import told
from proxy.control.api.callers import Callers
from proxy.control.policies.check import Question, Unknown, check
from proxy.control.registry import Registry


class PolicyDoor:
    """Routes over the registry in force."""

    def __init__(self, registry: Callable[[], Registry], callers: Callers) -> None:
        self._registry, self._callers = registry, callers

    def routes(self) -> list[web.RouteDef]:
        """To be added to an application."""
        return [web.post("/v1/policies/check", told(self._check))]

    async def _check(self, request: web.Request) -> web.Response:
        self._callers.actor(request)
        try:
            question = Question.model_validate_json(await request.read())
            return web.json_response(check(self._registry(), question))
        except ValidationError as error:
            return web.json_response({"error": f"not a question: {error.errors()[0]['msg']}"}, status=400)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=404 if isinstance(error, Unknown) else 400)
