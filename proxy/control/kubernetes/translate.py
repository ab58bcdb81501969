"""Objects of Kubernetes as documents of the mesh.

In: Services, EndpointSlices, Pods, routes, our own kinds. Out: documents as people would have written them. Pure.

A Service with a selector becomes one of ours with its first TCP port, or the one that the annotation `whymesh.io/port`
names: ready endpoints are its instances, named by their Pods, its cluster addresses mean any of them. A Pod with the
label `whymesh.io/sidecar: "true"` has a proxy beside it, at the ports of `whymesh.io/` annotations or the usual ones:
it is an instance as soon as it has an address, for it gets ready by way of its proxy only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from proxy.control.documents import API_VERSION
from proxy.control.kubernetes.selecting import MINE, alone, carried, has_sidecar, namespace_of, oldest_first

Object = dict[str, Any]
_NO_PORT = 9
"""Where nothing answers (discard, RFC 863)."""
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
    found, pods = list(found), list(pods)
    known = {(namespace_of(pod), pod["metadata"]["name"]): pod for pod in pods}
    by_service: dict[tuple[str, str], list[Object]] = defaultdict(list)
    for one in slices:
        name = one["metadata"].get("labels", {}).get(_OF_SERVICE)
        if name and one.get("addressType") in ("IPv4", "IPv6"):
            by_service[namespace_of(one), name].append(one)
    made: dict[tuple[str, str], Object] = {}
    named: set[str] = set()
    for service in sorted(found, key=oldest_first):
        port, key = carried(service), (namespace_of(service), service["metadata"]["name"])
        if port is not None:
            endpoints = list(_endpoints(service, port, by_service[key], known, named))
            made[key] = _service(service, port, endpoints)
    for name, pod in alone(pods, found):
        key = (namespace_of(pod), name)
        whose = made.setdefault(key, _document(name, key[0], {"protocol": "detect", "endpoints": []}))
        whose["spec"]["endpoints"].append(_caller(pod))
    yield from made.values()


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
    return _document(service["metadata"]["name"], namespace_of(service), spec)


def _document(name: str, namespace: str, spec: Object) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": "Service", "metadata": metadata, "spec": spec}


def _caller(pod: Object) -> Object:
    """A Pod that calls and is not called: its application has no port that the mesh knows."""
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    made: Object = {"app": _joined(address, _NO_PORT), "instance": _instance(name, namespace_of(pod)), "ready": False}
    return made | _of_pod(pod) | {"host": name[:63], "sidecar": _sidecar(pod, address)}


def _endpoints(
    service: Object,
    port: Object,
    slices: Iterable[Object],
    pods: Mapping[tuple[str, str], Object],
    named: set[str],
) -> Iterator[Object]:
    """Endpoints that are ready or have a proxy; a Pod behind several Services is another instance in each but the
    oldest."""
    found: dict[str, Object] = {}
    for one in slices:
        number = next((p["port"] for p in one.get("ports") or [] if p.get("name", "") == port.get("name", "")), None)
        for endpoint in one.get("endpoints") or []:
            if number and endpoint["addresses"]:
                made = _endpoint(service, endpoint, number, pods, named)
                if "sidecar" in made or made.get("ready", True):
                    found.setdefault(made["instance"], made)
    named.update(found)
    yield from (found[name] for name in sorted(found))


def _endpoint(
    service: Object, endpoint: Object, number: int, pods: Mapping[tuple[str, str], Object], named: set[str]
) -> Object:
    namespace, address = namespace_of(service), endpoint["addresses"][0]
    target = endpoint.get("targetRef") or {}
    pod = pods.get((namespace, target.get("name", ""))) if target.get("kind") == "Pod" else None
    name = target.get("name") or f"{service['metadata']['name']}-{address.replace(':', '-').replace('.', '-')}"
    instance = _instance(name, namespace)
    made: Object = {"app": _joined(address, number), "instance": instance} | (_of_pod(pod) if pod else {})
    if zone := endpoint.get("zone"):
        made["zone"] = zone
    if endpoint.get("conditions", {}).get("ready") is False:
        made["ready"] = False
    if instance in named:
        made["instance"] = f"{service['metadata']['name']}.{instance}"
    elif pod and has_sidecar(pod):
        made |= {"host": name[:63], "sidecar": _sidecar(pod, address)}
    return made


def _instance(pod: str, namespace: str) -> str:
    return pod if namespace == "default" else f"{pod}.{namespace}"


def _of_pod(pod: Object) -> Object:
    labels = pod["metadata"].get("labels", {})
    version = labels.get("app.kubernetes.io/version") or labels.get("version")
    return {"version": version} if version else {}


def _sidecar(pod: Object, address: str) -> Object:
    said = pod["metadata"].get("annotations", {})

    def at(host: str, what: str, port: int) -> str:
        return _joined(host, int(said.get(f"{MINE}{what}-port", port)))

    return {
        "inbound": at(address, "inbound", 15_006),
        "outbound": at("127.0.0.1", "outbound", 15_001),
        "admin": at(address, "admin", 15_020),
        "transparent": said.get(f"{MINE}transparent", "true") == "true",
    }


def _protocol(port: Object) -> str:
    """By `appProtocol`, else by the name of the port up to its first dash, else found out by the first bytes."""
    said = port.get("appProtocol") or port.get("name", "").partition("-")[0]
    return _PROTOCOLS.get(said.lower(), "detect")


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
