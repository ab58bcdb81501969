"""What the control plane says of itself: changes as spans to the collector, counters for Prometheus.

In: epochs, changes, refusals. Out: `mesh.change` spans (docs/telemetry.md), `/metrics`. Never: waits for the collector.
"""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CollectorRegistry, Counter, Gauge

from proxy.control.epochs.change import Change
from proxy.control.health.leave_out import Verdict
from proxy.control.publish import Publisher


class Telemetry:
    """Spans and counters of one control plane; `endpoint` is the base URL of an OTLP/HTTP receiver, empty for none."""

    def __init__(self, endpoint: str, publisher: Publisher) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": "whymesh-control"}))
        if endpoint:
            exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
            self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
        self._tracer = self._provider.get_tracer("whymesh.control")
        self.metrics = CollectorRegistry()
        self.refusals = Counter(
            "whymesh_control_config_refusals", "Configurations that were not taken.", registry=self.metrics
        )
        epoch = Gauge("whymesh_control_epoch", "Configuration epoch in force.", registry=self.metrics)
        epoch.set_function(lambda: publisher.epoch)
        proxies = Gauge(
            "whymesh_control_proxies_connected",
            "Proxies following this control plane.",
            registry=self.metrics,
        )
        proxies.set_function(lambda: sum(1 for one in publisher.standings.values() if one.connections))
        behind = Gauge(
            "whymesh_control_proxies_behind",
            "Connected proxies not on the epoch in force.",
            registry=self.metrics,
        )
        behind.set_function(lambda: sum(1 for name in publisher.standings if _is_behind(publisher, name)))

    def count_health(self, verdict: Callable[[], Verdict]) -> None:
        """Shows how many instances are left out, and in how many services all are called although some are unwell."""
        left_out = Gauge(
            "whymesh_control_instances_left_out", "Instances that fail their health check.", registry=self.metrics
        )
        left_out.set_function(lambda: len(verdict().left_out))
        panicking = Gauge(
            "whymesh_control_services_panicking",
            "Services with too few well instances to leave any out.",
            registry=self.metrics,
        )
        panicking.set_function(lambda: len(verdict().panicking))

    def report(self, change: Change, epoch: int, actor: str) -> None:
        """Sends one change as a span of no duration."""
        attributes: dict[str, str | int] = {
            "mesh.change.kind": change.kind,
            "mesh.change.service": change.service,
            "mesh.change.instance": change.instance,
            "mesh.change.before": change.before,
            "mesh.change.after": change.after,
            "mesh.change.actor": actor,
            "mesh.change.summary": change.summary,
            "mesh.epoch": epoch,
        }
        self._tracer.start_span("mesh.change", attributes=attributes).end()

    def close(self) -> None:
        """Sends what is left and stops."""
        self._provider.shutdown()


def _is_behind(publisher: Publisher, proxy: str) -> bool:
    standing, due = publisher.standings[proxy], publisher.due.get(proxy)
    return bool(due and standing.connections and standing.served != due.snapshot.epoch)
