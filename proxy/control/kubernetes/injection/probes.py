"""Has the proxy ask in the kubelet's place where a probe goes to a port whose connections come by way of the proxy.

In: containers of a Pod, its port. Out: changes of their probes, what the proxy is to ask instead, and what could not be
changed. Pure. The kubelet has no certificate: a strict mesh would refuse it, and any other would count its questions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from proxy.control.kubernetes.selecting import number_of

Object = dict[str, Any]
_KINDS = ("startupProbe", "readinessProbe", "livenessProbe")
_LISTS = ("initContainers", "containers")


@dataclass
class Rewritten:
    """Operations of a JSON Patch, questions by their name, and warnings."""

    patch: list[Object] = field(default_factory=list)
    asked: Object = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def rewritten(spec: Object, app_port: int, admin: int) -> Rewritten:
    """Every probe of the port, to be asked for at the proxy's `admin` port."""
    made = Rewritten()
    for where, container, kind in _probes(spec):
        probe, name = container[kind], f"{container['name']}/{kind.removesuffix('Probe')}"
        how = next((how for how in ("httpGet", "tcpSocket", "grpc") if probe.get(how)), "exec")
        said = probe.get(how) or {}
        if how == "exec" or said.get("host") or number_of(said.get("port"), [container]) != app_port:
            continue
        if how == "grpc" or said.get("scheme", "HTTP") != "HTTP":
            asks = "gRPC" if how == "grpc" else "HTTPS"
            made.warnings.append(
                f"{kind} of {container['name']} asks port {app_port} by {asks}, which comes to the proxy: a mesh that "
                "lets in only mutual TLS refuses it; let it ask another port"
            )
            continue
        made.asked[name] = _question(probe, said, app_port, http=how == "httpGet")
        if how != "httpGet":
            made.patch.append({"op": "remove", "path": f"{where}/{how}"})
        instead = {"path": f"/probe/{name}", "port": admin, "scheme": "HTTP"}
        made.patch.append({"op": "add", "path": f"{where}/httpGet", "value": instead})
    return made


def _probes(spec: Object) -> Iterator[tuple[str, Object, str]]:
    for part in _LISTS:
        for place, container in enumerate(spec.get(part) or []):
            for kind in _KINDS:
                if container.get(kind):
                    yield f"/spec/{part}/{place}/{kind}", container, kind


def _question(probe: Object, said: Object, port: int, *, http: bool) -> Object:
    """As `proxy.probes` understands it."""
    asked: Object = {"port": port, "timeout": probe.get("timeoutSeconds", 1)}
    if http:
        headers = [[one["name"], one["value"]] for one in said.get("httpHeaders") or []]
        asked |= {"path": said.get("path") or "/", "headers": headers}
    return asked
