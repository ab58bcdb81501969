"""The part of a Kubernetes API server that list and watch need: versions, pages, bookmarks, and forgetting.

Objects are kept by path of their collection; each change has a version of its own. What is older than `forget` is Gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web
from kubernetes_asyncio.client import ApiClient, Configuration

from tests.world.json_patch import Unapplied, applied

Object = dict[str, Any]
TOKEN = "a-service-account-token"


class Kubernetes:
    """One API server; `address` once it runs."""

    def __init__(self) -> None:
        self.address = ""
        self.collections: dict[str, dict[tuple[str, str], Object]] = {}
        self.single: dict[str, Object] = {}
        """Objects that are read and patched by themselves, by path."""
        self.asked: Counter[str] = Counter()
        """How often a collection was listed (`list /path`) and watched (`watch /path`)."""
        self.reviews: dict[str, Object] = {}
        """What becomes of a token that is to be reviewed: the status of its TokenReview."""
        self.away = False
        """Whether it reviews nothing."""
        self.refuses = False
        """Whether it answers no question at all."""
        self.page = 2
        self._version = 100
        self._oldest = 0
        self._events: list[tuple[int, str, str, Object]] = []
        self._wake = asyncio.Event()
        self._watches: set[asyncio.Transport] = set()

    def has(self, path: str) -> None:
        """The cluster knows a kind."""
        self.collections.setdefault(path, {})

    def put(self, path: str, item: Object) -> None:
        """Makes or changes an object."""
        objects, key = self.collections[path], (item["metadata"].get("namespace", ""), item["metadata"]["name"])
        self._happen(path, "MODIFIED" if key in objects else "ADDED", item)
        objects[key] = item

    def delete(self, path: str, namespace: str, name: str) -> None:
        """Takes an object away."""
        self._happen(path, "DELETED", self.collections[path].pop((namespace, name)))

    def bookmark(self, path: str) -> None:
        """Tells watches the newest version and nothing else."""
        self._happen(path, "BOOKMARK", {"kind": "", "metadata": {"name": ""}})

    def forget(self) -> None:
        """Versions so far are too old from now on."""
        self._oldest = self._version
        self._events.clear()

    def hang_up(self) -> None:
        """Breaks every watch, in the middle of whatever it was saying."""
        for connection in tuple(self._watches):
            connection.abort()

    def fail_watches(self, status: int) -> None:
        """Tells every watch of an error in its stream."""
        self._happen("", "ERROR", {"kind": "Status", "code": status, "message": "told to", "metadata": {}})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if self.refuses:
            return web.json_response({"kind": "Status", "code": 503}, status=503)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"kind": "Status", "code": 401}, status=401)
        if path in self.single:
            return web.json_response(self.single[path])
        if path not in self.collections:
            return web.json_response({"kind": "Status", "code": 404, "message": "not found"}, status=404)
        if request.query.get("watch") == "true":
            self.asked[f"watch {path}"] += 1
            return await self._watch(request, path, int(request.query["resourceVersion"]))
        self.asked[f"list {path}"] += 1
        start = int(request.query.get("continue", "0"))
        items = list(self.collections[path].values())
        more = str(start + self.page) if start + self.page < len(items) else ""
        return web.json_response(
            {
                "metadata": {"resourceVersion": str(self._version), "continue": more},
                "items": items[start : start + self.page],
            }
        )

    async def review(self, request: web.Request) -> web.Response:
        """A TokenReview, with its status."""
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"kind": "Status", "code": 401}, status=401)
        if self.away:
            return web.json_response({"kind": "Status", "code": 503}, status=503)
        asked = await request.json()
        status = self.reviews.get(asked["spec"]["token"], {"authenticated": False, "error": "unknown token"})
        return web.json_response({**asked, "status": status}, status=201)

    async def patch(self, request: web.Request) -> web.Response:
        """A JSON Patch of one object."""
        assert request.content_type == "application/json-patch+json"
        if request.path not in self.single:
            return web.json_response({"kind": "Status", "code": 404, "message": "not found"}, status=404)
        try:
            self.single[request.path] = applied(self.single[request.path], await request.json())
        except Unapplied as error:
            return web.json_response({"kind": "Status", "code": 422, "message": str(error)}, status=422)
        return web.json_response(self.single[request.path])

    async def _watch(self, request: web.Request, path: str, version: int) -> web.StreamResponse:
        if version < self._oldest:
            return web.json_response({"kind": "Status", "code": 410, "reason": "Expired"}, status=410)
        response = web.StreamResponse()
        await response.prepare(request)
        assert isinstance(request.transport, asyncio.Transport)
        connection = request.transport
        self._watches.add(connection)
        try:
            while True:
                for number, of, kind, item in [event for event in self._events if event[0] > version]:
                    version = number
                    if of in (path, ""):
                        line = json.dumps({"type": kind, "object": item}).encode() + b"\n"
                        await response.write(line[:40])
                        await response.write(line[40:])
                        if kind == "ERROR":
                            return response
                self._wake.clear()
                await self._wake.wait()
        except ConnectionResetError:
            return response
        finally:
            self._watches.discard(connection)

    def _happen(self, path: str, kind: str, item: Object) -> None:
        self._version += 1
        item["metadata"]["resourceVersion"] = str(self._version)
        self._events.append((self._version, path, kind, json.loads(json.dumps(item))))
        self._wake.set()
        self._wake = asyncio.Event()


def kubeconfig(path: Path, server: Kubernetes) -> Path:
    """The file by which others find it and are trusted."""
    said = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": server.address}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
    }
    path.write_text(json.dumps(said))
    return path


@contextlib.asynccontextmanager
async def kubernetes() -> AsyncIterator[tuple[Kubernetes, ApiClient]]:
    """A server with nothing in it, and a client that it trusts."""
    server = Kubernetes()
    application = web.Application()
    application.router.add_post("/apis/authentication.k8s.io/v1/tokenreviews", server.review)
    application.router.add_get("/{path:.*}", server.answer)
    application.router.add_patch("/{path:.*}", server.patch)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    known = Configuration(host=server.address)
    known.api_key["BearerToken"] = f"Bearer {TOKEN}"
    async with ApiClient(known) as client:
        yield server, client
    server.hang_up()
    await runner.cleanup()
