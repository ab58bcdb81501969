"""Which Services a Pod is behind, by their selectors: known before it has an address, and where nothing is behind one.

In: Services and Pods. Out: the Services of a Pod, its port that is theirs, Pods that are behind none. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Object = dict[str, Any]
MINE = "whymesh.io/"
_CALLED = ("app.kubernetes.io/name", "app", "k8s-app")
_ENDED = ("Succeeded", "Failed")


def namespace_of(item: Object) -> str:
    """`default` where it has none."""
    return str(item["metadata"].get("namespace", "default"))


def labels_of(item: Object) -> dict[str, str]:
    """None is none."""
    labels: dict[str, str] = item["metadata"].get("labels") or {}
    return labels


def has_sidecar(pod: Object) -> bool:
    """Whether a proxy is beside it."""
    return labels_of(pod).get(f"{MINE}sidecar") == "true"


def oldest_first(item: Object) -> tuple[str, str, str]:
    """The order in which Services take Pods."""
    return item["metadata"].get("creationTimestamp", ""), namespace_of(item), item["metadata"]["name"]


def carried(service: Object) -> Object | None:
    """The port of a Service that the mesh carries: the one that is named, else the first of TCP."""
    spec = service.get("spec", {})
    if spec.get("type") == "ExternalName":
        return None
    wanted = (service["metadata"].get("annotations") or {}).get(f"{MINE}port")
    ports: list[Object] = [port for port in spec.get("ports") or [] if port.get("protocol", "TCP") == "TCP"]
    return next((port for port in ports if wanted in (None, port.get("name"), str(port["port"]))), None)


def first_of(services: Iterable[Object], namespace: str, labels: dict[str, str]) -> Object | None:
    """The Service that a Pod with these labels is an instance of: the oldest that selects it."""
    mine = [one for one in services if namespace_of(one) == namespace and carried(one) and _selects(one, labels)]
    return min(mine, key=oldest_first, default=None)


def number_of(port: int | str | None, containers: Iterable[Object]) -> int | None:
    """A port of a Pod by its number, or by the name that a container gives it."""
    if isinstance(port, int):
        return port
    named = (one for each in containers for one in each.get("ports") or [] if one.get("name") == port)
    return next((one["containerPort"] for one in named), None)


def alone(pods: Iterable[Object], services: list[Object]) -> Iterator[tuple[str, Object]]:
    """Pods with a proxy that run and that no Service selects, by what they are called together."""
    for pod in sorted(pods, key=lambda one: (namespace_of(one), one["metadata"]["name"])):
        labels, status = labels_of(pod), pod.get("status", {})
        if not has_sidecar(pod) or not status.get("podIP") or status.get("phase") in _ENDED:
            continue
        if first_of(services, namespace_of(pod), labels) is None:
            yield next((labels[key] for key in _CALLED if labels.get(key)), pod["metadata"]["name"]), pod


def _selects(service: Object, labels: dict[str, str]) -> bool:
    selector = service.get("spec", {}).get("selector") or {}
    return bool(selector) and selector.items() <= labels.items()
