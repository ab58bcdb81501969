"""A Pod as somebody wants it -> the patch that puts a proxy into it, or why it gets none.

In: a Pod, its namespace, the port of the Service that it is behind. Out: a JSON Patch (RFC 6902) and warnings. Pure.
Never: a second proxy; a Pod that has one is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from proxy.control.kubernetes.injection import containers
from proxy.control.kubernetes.injection.containers import INTERCEPT, JOIN, PROXY, ROOTS, STATE, USER, Settings, Ways
from proxy.control.kubernetes.injection.probes import Rewritten, rewritten
from proxy.control.kubernetes.selecting import MINE, has_sidecar

Object = dict[str, Any]

INJECT = f"{MINE}inject"
"""Label of namespaces and Pods, annotation of Pods."""


@dataclass(frozen=True)
class Injection:
    """What is changed, and what whoever made the Pod is told."""

    patch: tuple[Object, ...] = ()
    warnings: tuple[str, ...] = ()


class Unfit(Exception):
    """The Pod cannot have a proxy; the text says why."""


def inject(pod: Object, namespace: str, service_port: int | None, settings: Settings) -> Injection:
    """`service_port` is the Pod's port that its Service leads to, None where it is behind none."""
    if _is_injected(pod) or _said(pod, INJECT) == "false":
        return Injection()
    try:
        _check(pod)
        ways = _ways(pod, service_port)
    except Unfit as why:
        return Injection(warnings=(f"whymesh: no proxy in this Pod: {why}",))
    spec, redirected = pod["spec"], ways.transparent and ways.app_port is not None
    probes = rewritten(spec, ways.app_port, ways.admin) if redirected and ways.app_port else Rewritten()
    first = [containers.intercept(settings, ways)] if ways.transparent else []
    first.append(containers.proxy(settings, namespace, ways, probes.asked))
    patch = (
        *probes.patch,  # before the places of init containers change
        *_entry(pod, "labels", f"{MINE}sidecar", "true"),
        *_entry(pod, "annotations", ROOTS, settings.roots),
        *_added(spec, "volumes", containers.volumes(), "-"),
        *_added(spec, "initContainers", reversed(first), "0"),
    )
    return Injection(patch, tuple(f"whymesh: {warning}" for warning in probes.warnings))


def _is_injected(pod: Object) -> bool:
    return ROOTS in (pod["metadata"].get("annotations") or {}) and PROXY in _names(pod["spec"], "initContainers")


def _check(pod: Object) -> None:
    """Raises Unfit."""
    spec = pod["spec"]
    if spec.get("hostNetwork"):
        raise Unfit("it has the network of its node (hostNetwork), whose connections are not its own")
    if (spec.get("os") or {}).get("name", "linux") != "linux":
        raise Unfit("connections are redirected on Linux only")
    if has_sidecar(pod):
        raise Unfit(f"its label {MINE}sidecar says that it brings one along")
    taken = {*_names(spec, "initContainers"), *_names(spec, "containers")} & {PROXY, INTERCEPT}
    taken |= _names(spec, "volumes") & {JOIN, STATE}
    if taken:
        raise Unfit(f"it has something called {min(taken)} already")
    contexts = [spec, *(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    if any((one.get("securityContext") or {}).get("runAsUser") == USER for one in contexts):
        raise Unfit(f"it runs as user {USER}, which is the proxy's: none of its connections would be redirected")


def _ways(pod: Object, service_port: int | None) -> Ways:
    """As the annotations say; raises Unfit."""
    named = [one for each in pod["spec"].get("containers") or [] for one in each.get("ports") or []]
    declared = next((one["containerPort"] for one in named if one.get("protocol", "TCP") == "TCP"), None)
    return Ways(
        _port(pod, "app-port", service_port or declared),
        (_said(pod, f"{MINE}transparent") or "true") == "true",
        _port(pod, "inbound-port", Ways.inbound) or Ways.inbound,
        _port(pod, "outbound-port", Ways.outbound) or Ways.outbound,
        _port(pod, "admin-port", Ways.admin) or Ways.admin,
        tuple(_number("skip-ports", one) for one in _listed(pod, "skip-ports")),
        tuple(_network("skip-networks", one) for one in _listed(pod, "skip-networks")),
    )


def _port(pod: Object, what: str, otherwise: int | None) -> int | None:
    said = _said(pod, f"{MINE}{what}")
    return _number(what, said) if said else otherwise


def _number(what: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65_536):
        raise Unfit(f"annotation {MINE}{what}: expected a port (got {text[:40]!r})")
    return int(text)


def _network(what: str, text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise Unfit(f"annotation {MINE}{what}: expected a network such as 10.0.0.0/8 (got {text[:40]!r})") from None


def _listed(pod: Object, what: str) -> Iterator[str]:
    parts = (_said(pod, f"{MINE}{what}") or "").split(",")
    return (part.strip() for part in parts if part.strip())


def _said(pod: Object, name: str) -> str | None:
    """By an annotation, else by a label."""
    metadata = pod["metadata"]
    said: str | None = (metadata.get("annotations") or {}).get(name) or (metadata.get("labels") or {}).get(name)
    return said


def _names(spec: Object, part: str) -> set[str]:
    return {one["name"] for one in spec.get(part) or []}


def _entry(pod: Object, part: str, key: str, value: str) -> Iterator[Object]:
    """One more label or annotation; a key of a JSON Pointer is escaped (RFC 6901, section 3)."""
    if not pod["metadata"].get(part):
        yield {"op": "add", "path": f"/metadata/{part}", "value": {}}
    yield {"op": "add", "path": f"/metadata/{part}/{key.replace('~', '~0').replace('/', '~1')}", "value": value}


def _added(spec: Object, part: str, added: Iterable[Object], place: str) -> Iterator[Object]:
    if not spec.get(part):
        yield {"op": "add", "path": f"/spec/{part}", "value": []}
    yield from ({"op": "add", "path": f"/spec/{part}/{place}", "value": one} for one in added)
