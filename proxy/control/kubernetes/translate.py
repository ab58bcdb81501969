"""Objects of Kubernetes as documents of the mesh.

In: Services, EndpointSlices, Pods, routes, our own kinds. Out: documents as people would have written them. Pure.

A Service with a selector becomes one of ours with its first TCP port, or the one that the annotation `whymesh.io/port`
names: ready endpoints are its instances, named by their Pods, its cluster addresses mean any of them. A Pod with the
label `whymesh.io/sidecar: "true"` has a proxy beside it, at the ports of `whymesh.io/` annotations or the usual ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from proxy.control.documents import API_VERSION

Object = dict[str, Any]
_MINE = "whymesh.io/"
_OF_SERVICE = "kubernetes.io/service-name"
_PROTOCOLS = {
    "http": "http1",
    "https": "tls",
    "tls": "tls",
    "http2": "http2",
    "h2c": "http2",
    "kubernetes.io/h2c": "http2",
    "grpc": "http2",
    "tcp": "tcp",
    "mysql": "tcp",
    "postgres": "tcp",
    "redis": "tcp",
}


def services(found: Iterable[Object], slices: Iterable[Object], pods: Iterable[Object]) -> Iterator[Object]:
    """Documents of kind Service; the order of instances is that of their names."""
    known = {(_namespace(pod), pod["metadata"]["name"]): pod for pod in pods}
    by_service: dict[tuple[str, str], list[Object]] = defaultdict(list)
    for one in slices:
        name = one["metadata"].get("labels", {}).get(_OF_SERVICE)
        if name and one.get("addressType") in ("IPv4", "IPv6"):
            by_service[_namespace(one), name].append(one)
    named: set[str] = set()
    for service in sorted(found, key=_oldest_first):
        port = _port(service)
        if port is not None:
            mine = by_service[_namespace(service), service["metadata"]["name"]]
            yield _service(service, port, list(_endpoints(service, port, mine, known, named)))


def plain(item: Object, api_version: str, kind: str) -> Object:
    """An object of one of our kinds or of the Gateway API without what only Kubernetes needs to know of it."""
    metadata = {key: item["metadata"][key] for key in ("name", "namespace", "labels") if key in item["metadata"]}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": item.get("spec", {})}


def is_of_services(route: Object) -> bool:
    """Whether all parents of a route are Services; those of Gateways belong to the controller of the Gateway."""
    parents = route.get("spec", {}).get("parentRefs") or []
    return bool(parents) and all(parent.get("kind", "Gateway") == "Service" for parent in parents)


def _service(service: Object, port: Object, endpoints: list[Object]) -> Object:
    addresses = [each for each in service["spec"].get("clusterIPs") or [] if each != "None"]
    spec: Object = {
        "port": port["port"],
        "protocol": _protocol(port),
        "addresses": [_joined(each, port["port"]) for each in addresses],
        "endpoints": endpoints,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "Service",
        "metadata": {"name": service["metadata"]["name"], "namespace": _namespace(service)},
        "spec": spec,
    }


def _endpoints(
    service: Object,
    port: Object,
    slices: Iterable[Object],
    pods: Mapping[tuple[str, str], Object],
    named: set[str],
) -> Iterator[Object]:
    """Ready endpoints; a Pod behind several Services is a different instance in each but the oldest."""
    found: dict[str, Object] = {}
    for one in slices:
        number = next((p["port"] for p in one.get("ports") or [] if p.get("name", "") == port.get("name", "")), None)
        for endpoint in one.get("endpoints") or []:
            if number and endpoint["addresses"] and endpoint.get("conditions", {}).get("ready") is not False:
                made = _endpoint(service, endpoint, number, pods, named)
                found.setdefault(made["instance"], made)
    named.update(found)
    yield from (found[name] for name in sorted(found))


def _endpoint(
    service: Object, endpoint: Object, number: int, pods: Mapping[tuple[str, str], Object], named: set[str]
) -> Object:
    namespace, address = _namespace(service), endpoint["addresses"][0]
    target = endpoint.get("targetRef") or {}
    pod = pods.get((namespace, target.get("name", ""))) if target.get("kind") == "Pod" else None
    name = target.get("name") or f"{service['metadata']['name']}-{address.replace(':', '-').replace('.', '-')}"
    instance = name if namespace == "default" else f"{name}.{namespace}"
    made: Object = {"app": _joined(address, number), "instance": instance}
    if zone := endpoint.get("zone"):
        made["zone"] = zone
    labels = pod["metadata"].get("labels", {}) if pod else {}
    if version := labels.get("app.kubernetes.io/version") or labels.get("version"):
        made["version"] = version
    if instance in named:
        made["instance"] = f"{service['metadata']['name']}.{instance}"
    elif labels.get(f"{_MINE}sidecar") == "true" and pod:
        made |= {"host": name[:63], "sidecar": _sidecar(pod, address)}
    return made


def _sidecar(pod: Object, address: str) -> Object:
    said = pod["metadata"].get("annotations", {})

    def at(host: str, what: str, port: int) -> str:
        return _joined(host, int(said.get(f"{_MINE}{what}-port", port)))

    return {
        "inbound": at(address, "inbound", 15_006),
        "outbound": at("127.0.0.1", "outbound", 15_001),
        "admin": at(address, "admin", 15_020),
        "transparent": said.get(f"{_MINE}transparent", "true") == "true",
    }


def _port(service: Object) -> Object | None:
    """The port that is carried: the one that is named, else the first of TCP; none without a selector."""
    spec = service.get("spec", {})
    if spec.get("type") == "ExternalName":
        return None
    wanted = service["metadata"].get("annotations", {}).get(f"{_MINE}port")
    ports: list[Object] = [port for port in spec.get("ports") or [] if port.get("protocol", "TCP") == "TCP"]
    return next((port for port in ports if wanted in (None, port.get("name"), str(port["port"]))), None)


def _protocol(port: Object) -> str:
    """By `appProtocol`, else by the name of the port up to its first dash, else found out by the first bytes."""
    said = port.get("appProtocol") or port.get("name", "").partition("-")[0]
    return _PROTOCOLS.get(said.lower(), "detect")


def _namespace(item: Object) -> str:
    return str(item["metadata"].get("namespace", "default"))


def _oldest_first(item: Object) -> tuple[str, str, str]:
    return item["metadata"].get("creationTimestamp", ""), _namespace(item), item["metadata"]["name"]


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
