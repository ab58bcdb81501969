"""Envoy's configuration: one listener, one upstream, spans over OTLP/HTTP or none, no access log."""

from __future__ import annotations

from typing import Any

_TYPE = "type.googleapis.com/envoy.extensions"
# Batches as large as ours.
_BATCHES = {"tracing.opentelemetry.min_flush_spans": 4096, "tracing.opentelemetry.flush_interval_ms": 500}


def config(*, port: int, admin: int, upstream: int, http2: bool, sink: int | None) -> dict[str, Any]:
    """A proxy from `port` to `upstream` on loopback; every request is a span when there is a `sink`."""
    clusters = [_cluster("upstream", upstream, http2)]
    if sink is not None:
        clusters.append(_cluster("sink", sink, http2=False))
    return {
        "admin": {"address": _address(admin)},
        "layered_runtime": {"layers": [{"name": "batches", "static_layer": _BATCHES}]},
        "static_resources": {
            "listeners": [{"address": _address(port), "filter_chains": [{"filters": [_http(sink)]}]}],
            "clusters": clusters,
        },
    }


def _http(sink: int | None) -> dict[str, Any]:
    manager: dict[str, Any] = {
        "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPE}.filters.http.router.v3.Router"},
            }
        ],
    }
    if sink is not None:
        manager["tracing"] = _tracing(sink)
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}


def _tracing(sink: int) -> dict[str, Any]:
    return {
        "random_sampling": {"value": 100},
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "service_name": "bench",
                "http_service": {
                    "http_uri": {"uri": f"http://127.0.0.1:{sink}/v1/traces", "cluster": "sink", "timeout": "5s"}
                },
            },
        },
    }


def _cluster(name: str, port: int, http2: bool) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    cluster: dict[str, Any] = {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if http2:
        cluster["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
    return cluster


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
