"""Mesh configurations as a user would write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

API_VERSION = "whymesh.io/v1alpha1"


def mesh(name: str = "test", **spec: Any) -> dict[str, Any]:
    """A Mesh document."""
    return {"apiVersion": API_VERSION, "kind": "Mesh", "metadata": {"name": name}, "spec": spec}


def service(name: str, *endpoints: dict[str, Any], namespace: str = "default", **spec: Any) -> dict[str, Any]:
    """A Service document."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"endpoints": list(endpoints), **spec},
    }


def route(name: str, parent: str, *rules: dict[str, Any], kind: str = "HTTPRoute", **more: Any) -> dict[str, Any]:
    """An HTTPRoute or GRPCRoute for one Service."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"parentRefs": [{"kind": "Service", "name": parent}], "rules": list(rules), **more},
    }


def gateway(name: str, *listeners: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A Gateway document."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name},
        "spec": {"listeners": list(listeners), **more},
    }


def listener(name: str, port: int, hostname: str | None = None) -> dict[str, Any]:
    """One of a Gateway's."""
    return {"name": name, "port": port, "protocol": "HTTP"} | ({"hostname": hostname} if hostname else {})


def policy(target: str, kind: str = "Service", **spec: Any) -> dict[str, Any]:
    """A TrafficPolicy document."""
    return {
        "apiVersion": API_VERSION,
        "kind": "TrafficPolicy",
        "metadata": {"name": target},
        "spec": {"targetRef": {"kind": kind, "name": target}, **spec},
    }


def access(name: str, target: str | None, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An AuthorizationPolicy for one Service, or for the whole namespace `default`."""
    target_ref = {"targetRef": {"name": target}} if target else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "AuthorizationPolicy",
        "metadata": {"name": name},
        "spec": {**target_ref, "rules": list(rules), **more},
    }


def backends(*names: str, **weights: int) -> list[dict[str, Any]]:
    """`backendRefs` to Services, with weights where given."""
    return [{"name": name} for name in names] + [{"name": name, "weight": weight} for name, weight in weights.items()]


def endpoint(instance: str, app: int = 18_001, version: str = "v1", **more: Any) -> dict[str, Any]:
    """One instance; its application listens on loopback port `app`."""
    return {"instance": instance, "version": version, "app": f"127.0.0.1:{app}", **more}


def sidecar(inbound: int, outbound: int, admin: int) -> dict[str, str]:
    """Loopback addresses of one sidecar."""
    return {"inbound": f"127.0.0.1:{inbound}", "outbound": f"127.0.0.1:{outbound}", "admin": f"127.0.0.1:{admin}"}


def write(path: Path, *documents: dict[str, Any]) -> Path:
    """Replaces a file as an editor does: a new one is moved over it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    fresh.replace(path)
    return path
