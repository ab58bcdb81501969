"""What the engine says of itself: a span for each evaluation to the collector, counters for Prometheus."""

from collections.abc import Callable, Mapping

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Telemetry:
    """Spans and counters of one engine; `endpoint` is the base URL of an OTLP/HTTP receiver, empty for none. What is
    open or waits is asked when somebody reads the metrics."""

    def __init__(
        self,
        endpoint: str,
        open_incidents: Callable[[], float],
        open_alarms: Callable[[], float],
        waiting: Callable[[], float],
    ) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": "whymesh-rootcause"}))
        if endpoint:
            exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
            self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
        self.tracer: Tracer = self._provider.get_tracer("whymesh.rootcause")
        self.metrics = CollectorRegistry()
        self.evaluations = Counter(
            "whymesh_rootcause_evaluations", "Evaluations by outcome.", ["state"], registry=self.metrics
        )
        self.seconds = Histogram(
            "whymesh_rootcause_evaluation_seconds", "Time one evaluation takes.", registry=self.metrics
        )
        self.incidents = Counter("whymesh_rootcause_incidents", "Incidents by event.", ["event"], registry=self.metrics)
        self.notifications = Counter(
            "whymesh_rootcause_notifications", "Webhook messages by result.", ["result"], registry=self.metrics
        )
        opened = Gauge("whymesh_rootcause_incidents_open", "Incidents open now.", registry=self.metrics)
        opened.set_function(open_incidents)
        alarms = Gauge("whymesh_rootcause_alarms_open", "Alarms open now.", registry=self.metrics)
        alarms.set_function(open_alarms)
        unsent = Gauge(
            "whymesh_rootcause_notifications_waiting", "Webhook messages not delivered yet.", registry=self.metrics
        )
        unsent.set_function(waiting)
        self.evaluated_at = Gauge(
            "whymesh_rootcause_evaluated_timestamp_seconds",
            "When an evaluation last succeeded; what is older holds no more.",
            registry=self.metrics,
        )
        self.alarms = Counter("whymesh_rootcause_alarms", "Alarms by event.", ["event"], registry=self.metrics)
        self._burn = Gauge(
            "whymesh_rootcause_objective_burn",
            "How many times faster than allowed the budget of an objective burns.",
            ["objective", "service", "window_s"],
            registry=self.metrics,
        )

        self._burning: dict[tuple[str, int], frozenset[str]] = {}

    def burning(self, objective: str, window_s: int, times: Mapping[str, float]) -> None:
        """Takes down how fast each service burns its budget; those of whom nothing is known any more are forgotten."""
        known = self._burning.get((objective, window_s), frozenset())
        for gone in known - times.keys():
            self._burn.remove(objective, gone, window_s)
        for service, factor in times.items():
            self._burn.labels(objective, service, window_s).set(factor)
        self._burning[objective, window_s] = frozenset(times)

    def burning_unknown(self) -> None:
        """The store does not tell: what it told last holds no more."""
        self._burn.clear()
        self._burning.clear()

    def close(self) -> None:
        """Sends what is left and stops."""
        self._provider.shutdown()
