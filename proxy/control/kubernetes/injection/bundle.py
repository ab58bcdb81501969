"""Tells the API server by which roots it knows the webhook, and tells it again whenever these change.

In: the roots in force. Out: `caBundle` of each webhook of our MutatingWebhookConfiguration. Never: another field of it,
or another configuration; one that is not there is waited for.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from typing import Any

import aiohttp

from proxy.control.kubernetes.follow import Connect
from proxy.control.kubernetes.injection.door import pem
from proxy.control.registry import Registry

log = logging.getLogger("whymesh.kubernetes")

NAME = "whymesh"
_PATH = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{NAME}"
LOOK_S = 15.0
"""How often what somebody else has changed, or applied only now, is seen to."""
_PATIENCE_S = 10.0
_OK = 200


class Bundle:
    """Of the cluster that `connect` leads to."""

    def __init__(self, connect: Connect) -> None:
        self._connect, self._wanted = connect, ""
        self._different, self._problem = asyncio.Event(), ""

    def follow(self, registry: Registry) -> None:
        """Takes the roots of what is in force."""
        wanted = base64.b64encode(pem(registry.trust).encode()).decode() if registry.trust else ""
        if wanted != self._wanted:
            self._wanted = wanted
            self._different.set()

    async def run(self) -> None:
        """Until cancelled; what goes wrong is told once and tried again."""
        while True:
            self._different.clear()
            problem = await self._keep() if self._wanted else ""
            if problem and problem != self._problem:
                log.warning("MutatingWebhookConfiguration %s: %s; Pods get no proxy until then", NAME, problem)
            self._problem = problem
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._different.wait()
            except TimeoutError:
                pass

    async def _keep(self) -> str:
        """Puts the roots where they are not; what stands in the way."""
        try:
            status, found = await self._ask("GET")
            if status != _OK:
                return _why(status, found)
            patch = list(self._patch(found.get("webhooks") or []))
            if patch:
                status, found = await self._ask("PATCH", patch)
                if status != _OK:
                    return _why(status, found)
                log.info("MutatingWebhookConfiguration %s: the roots are those in force", NAME)
        except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
            return str(error) or type(error).__name__
        return ""

    def _patch(self, webhooks: list[dict[str, Any]]) -> Any:
        """Each by its place, as long as it is still there."""
        for place, webhook in enumerate(webhooks):
            if webhook["clientConfig"].get("caBundle") != self._wanted:
                yield {"op": "test", "path": f"/webhooks/{place}/name", "value": webhook["name"]}
                yield {"op": "add", "path": f"/webhooks/{place}/clientConfig/caBundle", "value": self._wanted}

    async def _ask(self, method: str, body: list[dict[str, Any]] | None = None) -> tuple[int, Any]:
        api = await self._connect()
        answer: aiohttp.ClientResponse = await api.call_api(
            _PATH,
            method,
            header_params={"Accept": "application/json", "Content-Type": "application/json-patch+json"},
            body=body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=_PATIENCE_S,
            _return_http_data_only=True,
        )
        async with answer:
            return answer.status, json.loads(await answer.read() or b"null")


def _why(status: int, said: Any) -> str:
    message = said.get("message", "") if isinstance(said, dict) else ""
    return (
        "is not there; see deploy/kubernetes/inject.yaml" if status == 404 else f"answered {status} {message}".strip()
    )
