"""Everything of a cluster that concerns the mesh, followed and written to one file.

In: collections of the Kubernetes API. Out: the file, replaced whole a moment after something is different.
Never: a file that is made of part of the cluster; the one of an earlier run stays until everything is listed.
"""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

from kubernetes_asyncio.client import ApiClient

from proxy.control.documents import API_VERSION, KINDS
from proxy.control.kubernetes.admit import admit
from proxy.control.kubernetes.follow import Collection, Object
from proxy.control.kubernetes.translate import is_of_services, plain, services

log = logging.getLogger("whymesh.kubernetes")


def plural(kind: str) -> str:
    """The name that the API has a kind of ours under."""
    name = kind.lower()
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}es" if name.endswith("sh") else f"{name}s"


GATEWAY_API = "gateway.networking.k8s.io/v1"
ROUTES = {"HTTPRoute": "httproutes", "GRPCRoute": "grpcroutes"}
OWN = {kind: plural(kind) for kind in KINDS if kind not in (*ROUTES, "Gateway")}
"""Our kinds and the plurals that the API has them under."""
_STILL_S = 0.1


class Cluster:
    """The cluster that `api` leads to, and the file to write."""

    def __init__(self, api: ApiClient, path: Path) -> None:
        self._path = path
        self._different = asyncio.Event()
        self._written: str | None = None
        self._mistakes: list[str] = []

        def follow(path: str) -> Collection:
            return Collection(api, path, self._different.set, _trimmed)

        self._services = follow("/api/v1/services")
        self._slices = follow("/apis/discovery.k8s.io/v1/endpointslices")
        self._pods = follow("/api/v1/pods")
        self._routes = {kind: follow(f"/apis/{GATEWAY_API}/{plural}") for kind, plural in ROUTES.items()}
        self._own = {kind: follow(f"/apis/{API_VERSION}/{plural}") for kind, plural in OWN.items()}

    async def run(self) -> None:
        """Follows and writes until cancelled."""
        everything = (self._services, self._slices, self._pods, *self._routes.values(), *self._own.values())
        async with asyncio.TaskGroup() as group:
            for collection in everything:
                group.create_task(collection.follow())
            for collection in everything:
                await collection.listed.wait()
            while True:
                await self._different.wait()
                await asyncio.sleep(_STILL_S)  # a rollout is many events
                self._different.clear()
                self._write()

    def documents(self) -> list[Object]:
        """What the cluster says now, mistakes included."""
        found = [*services(self._services.objects.values(), self._slices.objects.values(), self._pods.objects.values())]
        for kind, collection in self._own.items():
            found += [plain(item, API_VERSION, kind) for item in collection.objects.values()]
        for kind, collection in self._routes.items():
            routes = (item for item in collection.objects.values() if is_of_services(item))
            found += [plain(item, GATEWAY_API, kind) for item in routes]
        return found

    def _write(self) -> None:
        admitted = admit(self.documents())
        for mistake in admitted.mistakes:
            if mistake not in self._mistakes:
                log.error("left out: %s", mistake)
        self._mistakes = admitted.mistakes
        text = "---\n".join(f"{json.dumps(document)}\n" for document in admitted.documents)  # JSON is YAML
        if text == self._written:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self._path)
        self._written = text
        log.info("%s: %d documents", self._path, len(admitted.documents))


def _trimmed(item: Object) -> Object:
    """What is looked at, so that other changes of an object (its status, its leases) are none."""
    kept = ("name", "namespace", "labels", "annotations", "creationTimestamp")
    metadata: dict[str, Any] = {key: item["metadata"][key] for key in kept if key in item["metadata"]}
    trimmed: dict[str, Any] = {key: item[key] for key in ("addressType", "endpoints", "ports") if key in item}
    is_pod = "containers" in item.get("spec", {})
    return {"metadata": metadata, **trimmed, **({} if is_pod or "spec" not in item else {"spec": item["spec"]})}
