"""Everything of a cluster that concerns the mesh, followed as one source of documents.

In: collections of the Kubernetes API. Out: documents, anew a moment after something is different. Never: those of part
of a cluster; nothing is known until everything is listed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from proxy.control.documents import API_VERSION, KINDS
from proxy.control.epochs.written import Written
from proxy.control.kubernetes.admit import admit
from proxy.control.kubernetes.follow import Collection, Connect, Object
from proxy.control.kubernetes.translate import is_of_services, plain, services
from proxy.control.sources import Take

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
    """The cluster that `connect` leads to (`sources.Source`)."""

    actor = "the cluster"

    def __init__(self, connect: Connect) -> None:
        self._different = asyncio.Event()
        self._admitted: tuple[Written, ...] | None = None
        self._mistakes: list[str] = []

        def follow(path: str) -> Collection:
            return Collection(connect, path, self._different.set, _trimmed)

        self._services = follow("/api/v1/services")
        self._slices = follow("/apis/discovery.k8s.io/v1/endpointslices")
        self._pods = follow("/api/v1/pods")
        self._routes = {kind: follow(f"/apis/{GATEWAY_API}/{plural}") for kind, plural in ROUTES.items()}
        self._own = {kind: follow(f"/apis/{API_VERSION}/{plural}") for kind, plural in OWN.items()}

    def read(self) -> tuple[Written, ...] | None:
        """What is in it; None until everything is listed."""
        return self._admitted

    async def run(self, take: Take) -> None:
        """Follows until cancelled."""
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
                if self._admit():
                    await take()

    @property
    def services(self) -> list[Object]:
        """The Services that it has, as the API shows them."""
        return list(self._services.objects.values())

    def documents(self) -> list[Object]:
        """What the cluster says now, mistakes included."""
        found = [*services(self.services, self._slices.objects.values(), self._pods.objects.values())]
        for kind, collection in self._own.items():
            found += [plain(item, API_VERSION, kind) for item in collection.objects.values()]
        for kind, collection in self._routes.items():
            routes = (item for item in collection.objects.values() if is_of_services(item))
            found += [plain(item, GATEWAY_API, kind) for item in routes]
        return found

    def _admit(self) -> bool:
        """Takes what fits together; whether that is anything else than before."""
        admitted = admit(self.documents())
        for mistake in admitted.mistakes:
            if mistake not in self._mistakes:
                log.error("left out: %s", mistake)
        self._mistakes, before, self._admitted = admitted.mistakes, self._admitted, admitted.documents
        return before != self._admitted


def _trimmed(item: Object) -> Object:
    """What is looked at, so that other changes of an object (its status, its leases) are none."""
    kept = ("name", "namespace", "labels", "annotations", "creationTimestamp")
    metadata: dict[str, Any] = {key: item["metadata"][key] for key in kept if key in item["metadata"]}
    trimmed: dict[str, Any] = {key: item[key] for key in ("addressType", "endpoints", "ports") if key in item}
    if "containers" in item.get("spec", {}):
        status = item.get("status", {})
        trimmed["status"] = {key: status[key] for key in ("podIP", "phase") if key in status}
    elif "spec" in item:
        trimmed["spec"] = item["spec"]
    return {"metadata": metadata, **trimmed}
