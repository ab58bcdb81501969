"""The mesh configuration as its users write it: one model a kind, `kubectl`-shaped, nothing unknown accepted.

In: one YAML document as a mapping. Out: a frozen model. Never: a default that hides a mistake.
The JSON Schema of each kind is `KINDS[kind].model_json_schema()`.
"""

from __future__ import annotations

from proxy.control.documents.authentication import RequestAuthentication
from proxy.control.documents.authorization import AuthorizationPolicy
from proxy.control.documents.base import API_VERSION, Document
from proxy.control.documents.fault_injection import FaultInjection
from proxy.control.documents.gateway import Gateway
from proxy.control.documents.grpc_route import GrpcRoute
from proxy.control.documents.http_route import HttpRoute
from proxy.control.documents.limits import LimitsSpec
from proxy.control.documents.mesh import Mesh, OutboundSpec
from proxy.control.documents.route import RouteDocument
from proxy.control.documents.service import EndpointSpec, Service, SidecarSpec
from proxy.control.documents.telemetry import Telemetry, TelemetrySpec
from proxy.control.documents.traffic_policy import TrafficPolicy

__all__ = [
    "API_VERSION", "KINDS", "AuthorizationPolicy", "Document", "EndpointSpec", "FaultInjection", "Gateway", "GrpcRoute",
    "HttpRoute", "LimitsSpec", "Mesh", "OutboundSpec", "RequestAuthentication", "RouteDocument", "Service",
    "SidecarSpec", "Telemetry", "TelemetrySpec", "TrafficPolicy",
]  # fmt: skip

KINDS: dict[str, type[Document]] = {
    "Mesh": Mesh,
    "Service": Service,
    "Gateway": Gateway,
    "HTTPRoute": HttpRoute,
    "GRPCRoute": GrpcRoute,
    "TrafficPolicy": TrafficPolicy,
    "FaultInjection": FaultInjection,
    "Telemetry": Telemetry,
    "AuthorizationPolicy": AuthorizationPolicy,
    "RequestAuthentication": RequestAuthentication,
}
