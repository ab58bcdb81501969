"""Keeps in step with one collection of the Kubernetes API: lists it, then watches it from there on.

In: HTTP of the API server. Out: all objects of the collection, each time one is different. Never: gives up.
A watch that ends or breaks goes on from the last version seen; only when that is too old (410 Gone) everything is
listed anew.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
from kubernetes_asyncio.client import ApiClient

log = logging.getLogger("whymesh.kubernetes")

Object = dict[str, Any]
Objects = dict[tuple[str, str], Object]
"""By namespace and name."""
Connect = Callable[[], Awaitable[ApiClient]]
"""The client of a cluster's API; raises OSError."""

_PAGE = 500
_WATCH_S = 240
_LONGEST_LINE = 16 << 20
_SHORTEST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 30.0
_ABSENT_S = 30.0
"""How long a kind that the cluster does not have is not asked for again."""


class _Gone(Exception):
    """The server no longer knows what came after the version asked for."""


class _Absent(Exception):
    """The cluster has no such kind."""


class Refused(Exception):
    """The server answered, and the answer is no."""


class Collection:
    """All objects of one kind, in all namespaces; `path` is as in `/api/v1/services`, `keep` what is kept of each."""

    def __init__(
        self, connect: Connect, path: str, changed: Callable[[], None], keep: Callable[[Object], Object]
    ) -> None:
        self._connect, self._path, self._changed, self._keep = connect, path, changed, keep
        self.objects: Objects = {}
        self.listed = asyncio.Event()
        """Set once the objects are those of the cluster."""

    async def follow(self) -> None:
        """Until cancelled. A broken connection is tried again after growing, jittered pauses."""
        version, pause_s = "", _SHORTEST_PAUSE_S
        while True:
            try:
                if not version:
                    version = await self._list()
                heard = False
                async for event in self._events(version):
                    version, heard, pause_s = self._take(event), True, _SHORTEST_PAUSE_S
                if heard:
                    continue
            except _Gone:
                log.info("%s: version %s is too old for the server; listing anew", self._path, version)
                version = ""
            except _Absent:
                self._set({})
                version, pause_s = "", _ABSENT_S
            except (OSError, aiohttp.ClientError, TimeoutError, ValueError, Refused) as error:
                log.warning("%s: %s; trying again", self._path, str(error) or type(error).__name__)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  (jitter is not a secret)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _list(self) -> str:
        """Lists page by page; returns the version of the whole."""
        found: Objects = {}
        token = ""
        while True:
            query = [("limit", str(_PAGE))] + ([("continue", token)] if token else [])
            async with await self._get(query, aiohttp.ClientTimeout(total=60)) as answer:
                page = json.loads(await answer.read())
            for item in page.get("items") or []:
                found[_key(item)] = self._keep(item)
            token = page["metadata"].get("continue", "")
            if not token:
                self._set(found)
                return str(page["metadata"]["resourceVersion"])

    async def _events(self, version: str) -> AsyncIterator[Object]:
        """What happened since a version; ends when the server ends the watch, as it does every few minutes."""
        seconds = random.randint(_WATCH_S, _WATCH_S * 5 // 4)  # noqa: S311  (jitter is not a secret)
        query = [
            ("watch", "true"),
            ("resourceVersion", version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(seconds)),
        ]
        async with await self._get(query, aiohttp.ClientTimeout(total=seconds + 30, sock_connect=10)) as answer:
            rest = b""
            async for piece in answer.content.iter_any():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)
                if len(rest) > _LONGEST_LINE:
                    raise ValueError(f"an event of more than {_LONGEST_LINE} bytes")

    def _take(self, event: Object) -> str:
        """Applies one event; returns its version."""
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            if item.get("code") == 410:
                raise _Gone
            raise Refused(item.get("message", "an error without a message"))
        if kind in ("ADDED", "MODIFIED"):
            kept, before = self._keep(item), self.objects.get(_key(item))
            self.objects[_key(item)] = kept
            if kept != before:
                self._changed()
        elif kind == "DELETED" and self.objects.pop(_key(item), None) is not None:
            self._changed()
        return str(item["metadata"]["resourceVersion"])

    def _set(self, objects: Objects) -> None:
        if objects != self.objects or not self.listed.is_set():
            self.objects = objects
            self.listed.set()
            self._changed()

    async def _get(self, query: list[tuple[str, str]], bounds: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """An answer of 200, its body to be read; the library adds address, TLS and credentials."""
        api = await self._connect()
        answer: aiohttp.ClientResponse = await api.call_api(
            self._path,
            "GET",
            query_params=query,
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=bounds,
            _return_http_data_only=True,
        )
        if answer.status == 200:
            return answer
        async with answer:
            said = (await answer.content.read(4_096)).decode(errors="replace")
        if answer.status == 410:
            raise _Gone
        if answer.status == 404:
            raise _Absent
        raise Refused(f"answered {answer.status}: {said[:300]}{_HINTS.get(answer.status, '')}")


_HINTS = {401: "; is the token still valid?", 403: "; see the ClusterRole in deploy/kubernetes/control.yaml"}


def _key(item: Object) -> tuple[str, str]:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
