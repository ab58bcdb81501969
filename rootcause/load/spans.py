"""A span as the engine sees it, whichever store or file it came from, and the one reading of OTLP messages."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status as OtlpStatus


class Kind(Enum):
    SERVER = "Server"
    CLIENT = "Client"
    INTERNAL = "Internal"


_KINDS = {
    OtlpSpan.SPAN_KIND_SERVER: Kind.SERVER,
    OtlpSpan.SPAN_KIND_CONSUMER: Kind.SERVER,
    OtlpSpan.SPAN_KIND_CLIENT: Kind.CLIENT,
    OtlpSpan.SPAN_KIND_PRODUCER: Kind.CLIENT,
}


@dataclass(frozen=True, slots=True)
class Span:
    """Ids in hex; `start_ns` since the epoch. `peer` names what a client span called, when it says so; `events` are the
    names of what happened in it, exceptions with their type."""

    trace: str
    id: str
    parent: str
    service: str
    version: str
    instance: str
    name: str
    kind: Kind
    start_ns: int
    duration_ns: int
    failed: bool
    peer: str = ""
    events: tuple[str, ...] = ()

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.duration_ns


PEER_ATTRIBUTES = (
    "mesh.destination.service",
    "peer.service",
    "db.system.name",
    "db.system",
    "server.address",
    "net.peer.name",
)
"""Where a client span names the other side, best first (OpenTelemetry semantic conventions, of old as well)."""
INSTANCE_ATTRIBUTES = ("service.instance.id", "k8s.pod.name", "container.id", "host.name")
"""Where a resource names the instance, best first."""
HTTP_CODE_ATTRIBUTES = ("http.response.status_code", "http.status_code")
"""How an HTTP call ended, now and before semantic conventions 1.21."""
GRPC_CODE_ATTRIBUTES = ("rpc.response.status_code", "rpc.grpc.status_code")
"""How a gRPC call ended: by name, and by number before semantic conventions 1.39."""
REFUSALS = (
    *("CANCELLED", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"),
    *("FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNAUTHENTICATED"),
    *("1", "3", "5", "6", "7", "8", "9", "10", "11", "16"),
)
"""gRPC codes that are no failure of the callee; the rest of them are errors of server spans, too."""
FAILURES = (
    *("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
    *("2", "4", "12", "13", "14", "15"),
)
"""gRPC codes that are."""
TOLD_ERROR = (("error", "true"), ("otel.status_code", "ERROR"))
"""What says that a span failed, from whoever has no status to set: OpenTracing, and exporters to what knows none."""
END_ATTRIBUTES = (*(name for name, _ in TOLD_ERROR), *HTTP_CODE_ATTRIBUTES, *GRPC_CODE_ATTRIBUTES)
"""All that `failed` looks at."""
Status = Literal["Unset", "Ok", "Error"]
_STATUSES: dict[int, Status] = {OtlpStatus.STATUS_CODE_OK: "Ok", OtlpStatus.STATUS_CODE_ERROR: "Error"}


def from_otlp(request: ExportTraceServiceRequest) -> Iterator[Span]:
    """The spans of one OTLP export request."""
    for resource_spans in request.resource_spans:
        resource = _strings(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield _span(span, resource)


def _span(span: OtlpSpan, resource: dict[str, str]) -> Span:
    attributes = _strings(span.attributes)
    return Span(
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        service=resource.get("service.name", ""),
        version=resource.get("service.version", ""),
        instance=_first(resource, INSTANCE_ATTRIBUTES),
        name=span.name,
        kind=_KINDS.get(span.kind, Kind.INTERNAL),
        start_ns=span.start_time_unix_nano,
        duration_ns=max(0, span.end_time_unix_nano - span.start_time_unix_nano),
        failed=failed(_STATUSES.get(span.status.code, "Unset"), attributes),
        peer=_first(attributes, PEER_ATTRIBUTES),
        events=tuple(_event(event) for event in span.events),
    )


EXCEPTION_TYPE = "exception.type"


def _event(event: OtlpSpan.Event) -> str:
    return " ".join(filter(None, (event.name, _strings(event.attributes).get(EXCEPTION_TYPE, ""))))


def _first(attributes: Mapping[str, str], names: Iterable[str]) -> str:
    """What the first of these says that says anything."""
    return next((attributes[name] for name in names if attributes.get(name)), "")


def failed(status: Status, attributes: Mapping[str, str]) -> bool:
    """By the status; where an instrumentation sets none, by what it tells of the answer."""
    if status == "Unset":
        return _broken(attributes)
    return status == "Error" and not _refused(attributes)


def _broken(attributes: Mapping[str, str]) -> bool:
    return (
        any(attributes.get(name) == error for name, error in TOLD_ERROR)
        or any(attributes.get(name, "").startswith("5") for name in HTTP_CODE_ATTRIBUTES)
        or any(attributes.get(name) in FAILURES for name in GRPC_CODE_ATTRIBUTES)
    )


def _refused(attributes: Mapping[str, str]) -> bool:
    """A client span of a 4xx is marked as an error, yet nothing failed: the caller asked what it cannot have."""
    return any(attributes.get(name, "").startswith("4") for name in HTTP_CODE_ATTRIBUTES) or any(
        attributes.get(name) in REFUSALS for name in GRPC_CODE_ATTRIBUTES
    )


def _strings(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Strings, integers and truths, as text."""
    found = {}
    for item in attributes:
        kind = item.value.WhichOneof("value")
        if kind in ("string_value", "int_value"):
            found[item.key] = str(getattr(item.value, kind))
        elif kind == "bool_value":
            found[item.key] = "true" if item.value.bool_value else "false"
    return found
