"""What a Pod gets: a container that redirects its connections once, the proxy, and what the proxy joins with.

In: what is to be injected. Out: containers and volumes of a Pod. Pure. The proxy is a native sidecar (an init container
with `restartPolicy: Always`, Kubernetes 1.29): it carries traffic before any other container starts, and ends last.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

PROXY, INTERCEPT = "whymesh-proxy", "whymesh-intercept"
JOIN, STATE = "whymesh-join", "whymesh-state"
ROOTS = "whymesh.io/roots"
"""Annotation: by which roots (PEM) the proxy knows its control plane."""
USER = 1337
_JOIN_FOLDER, _STATE_FOLDER = "/var/run/whymesh", "/var/lib/whymesh"
_AUDIENCE = "whymesh"
_TOKEN_S = 600
_TOLD = {
    "POD_NAME": "metadata.name",
    "POD_NAMESPACE": "metadata.namespace",
    "POD_IP": "status.podIP",
    "NODE_NAME": "spec.nodeName",
}
_RESOURCE = "k8s.node.name=$(NODE_NAME),k8s.namespace.name=$(POD_NAMESPACE),k8s.pod.name=$(POD_NAME)"
"""On all that the proxy records; the kubelet puts in what it has told above, which it does in order."""


@dataclass(frozen=True)
class Settings:
    """Of all Pods: the image of the proxy, the URL of the control plane, the roots (PEM) it is known by."""

    image: str
    control: str
    roots: str


@dataclass(frozen=True)
class Ways:
    """Of one Pod: its connections that go by way of the proxy, and where that listens."""

    app_port: int | None
    transparent: bool = True
    inbound: int = 15_006
    outbound: int = 15_001
    admin: int = 15_020
    skip_ports: tuple[int, ...] = ()
    skip_networks: tuple[str, ...] = ()


def proxy(settings: Settings, namespace: str, ways: Ways, probes: Object) -> Object:
    """The sidecar; `probes` is what it asks the application in the kubelet's place."""
    instance = "$(POD_NAME)" if namespace == "default" else f"$(POD_NAME).{namespace}"
    command = ["whymesh", "proxy", "--instance", instance, "--control", settings.control]
    command += ["--control-root", f"{_JOIN_FOLDER}/roots.pem", "--join", f"{_JOIN_FOLDER}/token"]
    command += ["--admin", f"$(POD_IP):{ways.admin}", "--state", _STATE_FOLDER]
    if probes:
        command += ["--probes", json.dumps(probes).replace("$(", "$$(")]
    ready = {"httpGet": {"path": "/readyz", "port": ways.admin, "scheme": "HTTP"}}
    return {
        "name": PROXY,
        "image": settings.image,
        "restartPolicy": "Always",
        "command": command,
        "env": [
            *(_field(name, path) for name, path in _TOLD.items()),
            {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": _RESOURCE},
        ],
        "startupProbe": {**ready, "periodSeconds": 1, "failureThreshold": 600},
        "readinessProbe": {**ready, "periodSeconds": 5},
        "securityContext": {
            "runAsUser": USER,
            "runAsGroup": USER,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": JOIN, "mountPath": _JOIN_FOLDER, "readOnly": True},
            {"name": STATE, "mountPath": _STATE_FOLDER},
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
    }


def intercept(settings: Settings, ways: Ways) -> Object:
    """Has the kernel redirect the Pod's connections, and ends."""
    command = ["whymesh", "intercept", "--apply", "--user", str(USER), "--outbound", f"127.0.0.1:{ways.outbound}"]
    if ways.app_port is not None:
        command += ["--inbound", f"0.0.0.0:{ways.inbound}", "--app-port", str(ways.app_port)]
    for port in ways.skip_ports:
        command += ["--skip-port", str(port)]
    for network in ways.skip_networks:
        command += ["--skip-network", network]
    return {
        "name": INTERCEPT,
        "image": settings.image,
        "command": command,
        "securityContext": {
            "runAsUser": 0,
            "runAsNonRoot": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]},
        },
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
    }


def volumes() -> list[Object]:
    """What the proxy joins with (docs/identity.md), and a folder that lives as long as the Pod."""
    token = {"serviceAccountToken": {"audience": _AUDIENCE, "path": "token", "expirationSeconds": _TOKEN_S}}
    roots = {"path": "roots.pem", "fieldRef": {"fieldPath": f"metadata.annotations['{ROOTS}']"}}
    return [
        {"name": JOIN, "projected": {"sources": [token, {"downwardAPI": {"items": [roots]}}]}},
        {"name": STATE, "emptyDir": {}},
    ]


def _field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
