"""Compiles the registry into what one proxy must do.

In: registry, instance name, epoch. Out: a `Snapshot`. Pure: the same input gives the same bytes.
"""

from __future__ import annotations

from proxy.control.documents import EndpointSpec, LimitsSpec, Service
from proxy.control.registry import Registry
from proxy.snapshot import Endpoint, Inbound, Limits, Node, Outbound, Snapshot, Telemetry, Upstream


def compile_snapshot(registry: Registry, instance: str, epoch: int) -> Snapshot:
    """Everything the proxy beside `instance` must do as of `epoch`; raises UnknownInstance."""
    service, endpoint = registry.find(instance)
    return Snapshot(
        epoch=epoch,
        node=Node(
            service=service.full_name,
            version=endpoint.version,
            instance=endpoint.instance,
            namespace=service.metadata.namespace,
        ),
        inbound=_inbound(service, endpoint),
        outbound=Outbound(listen=endpoint.sidecar.outbound) if endpoint.sidecar else None,
        services=tuple(_upstream(other) for other in registry.services),
        telemetry=_telemetry(registry),
        limits=_limits(registry.mesh.spec.limits),
    )


def _inbound(service: Service, endpoint: EndpointSpec) -> Inbound | None:
    if endpoint.sidecar is None:
        return None
    return Inbound(
        listen=endpoint.sidecar.inbound,
        app=endpoint.app,
        protocol=service.spec.protocol,
        connect_timeout_ms=service.spec.connect_timeout,
        timeout_ms=service.spec.timeout,
    )


def _upstream(service: Service) -> Upstream:
    return Upstream(
        name=service.full_name,
        authorities=service.authorities,
        protocol=service.spec.protocol,
        connect_timeout_ms=service.spec.connect_timeout,
        timeout_ms=service.spec.timeout,
        endpoints=tuple(
            Endpoint(address=e.reachable_at, version=e.version, instance=e.instance) for e in service.spec.endpoints
        ),
    )


def _limits(spec: LimitsSpec) -> Limits:
    return Limits(
        connections=spec.connections,
        connections_per_client=spec.connections_per_client,
        requests=spec.requests,
        streams=spec.streams,
        control_frames=spec.control_frames,
        header_bytes=spec.header_bytes,
        headers=spec.headers,
        uri_bytes=spec.uri_bytes,
        body_bytes=spec.body_bytes,
        header_timeout_ms=spec.header_timeout,
        body_timeout_ms=spec.body_timeout,
        body_progress_bytes=spec.body_progress,
        response_body_timeout_ms=spec.response_body_timeout,
        reader_timeout_ms=spec.reader_timeout,
        half_close_timeout_ms=spec.half_close_timeout,
        idle_timeout_ms=spec.idle_timeout,
        tunnel_idle_timeout_ms=spec.tunnel_idle_timeout,
    )


def _telemetry(registry: Registry) -> Telemetry:
    spec = registry.mesh.spec.telemetry
    return Telemetry(
        endpoint=spec.address if spec.enabled else "",
        protocol=spec.protocol,
        compression=spec.compression,
        batch_records=spec.batch.records,
        batch_bytes=spec.batch.size,
        flush_ms=spec.flush,
        spool_bytes=spec.spool.quota,
        budget_bytes=spec.budget,
    )
