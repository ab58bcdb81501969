"""The demo's shop without processes: simulated requests as the spans that its proxies would send.

In: a seed, a stretch of time, faults. Out: client and server spans with realistic noise; every run of a seed
is the same.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from deploy.demo.topology import BY_NAME, ENTRY, Call, Route
from rootcause.load.spans import Kind, Span

JITTER = 0.25
HICCUP = 0.002
"""Share of requests that a garbage collection or a scheduler holds up for tens of milliseconds."""
ENTRY_MIX = (0.5, 0.3, 0.2)


@dataclass(frozen=True)
class Fault:
    """From `start` (Unix seconds) on. `latency` and `link` add `value` ms, `errors` fails that share of requests, `cpu`
    multiplies own time, `version` adds ms to one version only, `crash` refuses connections, `skip` has `source` no
    longer call the service, `host` (of service "") makes all take `value` times longer. Empty fields match all."""

    kind: str
    service: str
    value: float
    start: float
    version: str = ""
    instance: str = ""
    source: str = ""

    def hits(self, at: float, service: str, version: str, instance: str) -> bool:
        return (
            at >= self.start
            and self.service in ("", service)
            and self.version in ("", version)
            and self.instance in ("", instance)
        )


@dataclass(frozen=True)
class Proxied:
    """A span of a proxy: the plain part, what the mesh writes beside it, and what else is known of who recorded it."""

    span: Span
    attributes: dict[str, str] = field(default_factory=dict)
    status: int = 200
    resource: dict[str, str] = field(default_factory=dict)


@dataclass
class _Served:
    end: float
    failed: bool


class Shop:
    """Simulated requests; `rate` a second arrive at the front."""

    def __init__(self, seed: int, *, rate: float = 30.0, faults: tuple[Fault, ...] = ()) -> None:
        self._random = random.Random(seed)
        self._rate = rate
        self._faults = faults
        self._spans: list[Proxied] = []

    def run(self, start: float, seconds: float) -> list[Proxied]:
        """Every span of the requests that arrive in this time."""
        self._spans = []
        at = start + self._random.expovariate(self._rate)
        while at < start + seconds:
            route = self._random.choices(BY_NAME[ENTRY].routes, ENTRY_MIX)[0]
            self._serve(self._id(16), "", ("", "", ""), ENTRY, route, at)
            at += self._random.expovariate(self._rate)
        return self._spans

    def _serve(
        self, trace: str, parent: str, caller: tuple[str, str, str], service: str, route: Route, at: float
    ) -> tuple[_Served, str, str]:
        index = self._random.randrange(len(BY_NAME[service].versions))
        version, instance = BY_NAME[service].versions[index], f"{service}-{index + 1}"
        me, span_id = (service, version, instance), self._id(8)
        children: list[tuple[float, float, bool]] = []
        now, failed, reason = at, False, ""
        if any(f.kind == "crash" and f.hits(at, *me) for f in self._faults):
            now, failed, reason = at + 0.0008, True, "app_connect_refused"
        else:
            now += self._own_s(route, me, at)
            failed = any(
                f.kind == "errors" and f.hits(at, *me) and self._random.random() < f.value for f in self._faults
            )
            for stage in () if failed else route.stages:
                calls = [
                    self._call(trace, span_id, me, call, now) for call in stage if not self._skipped(me[0], call, now)
                ]
                children += [(now, done.end, done.failed) for done in calls]
                now = max([now, *(done.end for done in calls)])
                if any(done.failed for done in calls):
                    failed = True
                    break
            now += 0.0004
        own_s = now - at - _union(children)
        attributes = {
            **_ends("source", caller),
            **_ends("destination", me),
            "mesh.route": route.path,
            "http.request.method": route.method,
            "http.response.status_code": "500" if failed else "200",
            "mesh.time.own_us": str(max(0, round(own_s * 1e6))),
            "mesh.children": str(len(children)),
            "mesh.children.failed": str(sum(child[2] for child in children)),
            **({"mesh.reason": reason} if reason else {}),
        }
        self._record(trace, span_id, parent, me, route, Kind.SERVER, at, now, failed, attributes)
        return _Served(now, failed), version, instance

    def _call(self, trace: str, parent: str, me: tuple[str, str, str], call: Call, at: float) -> _Served:
        span_id = self._id(8)
        slower = self._slower(at)
        there = self._hop_s() * slower + sum(
            f.value / 1000
            for f in self._faults
            if f.kind == "link" and f.source in ("", me[0]) and f.service == call.service and at >= f.start
        )
        route = next(r for r in BY_NAME[call.service].routes if (r.method, r.path.count("/")) == _shape(call))
        done, version, instance = self._serve(trace, span_id, me, call.service, route, at + there)
        end = done.end + self._hop_s() * slower
        attributes = {
            **_ends("source", me),
            **_ends("destination", (call.service, version, instance)),
            "mesh.route": route.path,
            "http.request.method": route.method,
            "http.response.status_code": "500" if done.failed else "200",
        }
        self._record(trace, span_id, parent, me, route, Kind.CLIENT, at, end, done.failed, attributes)
        return _Served(end, done.failed)

    def _skipped(self, source: str, call: Call, at: float) -> bool:
        return any(
            f.kind == "skip" and f.source in ("", source) and f.service == call.service and at >= f.start
            for f in self._faults
        )

    def _own_s(self, route: Route, me: tuple[str, str, str], at: float) -> float:
        own = self._random.lognormvariate(math.log(route.wait_ms), JITTER) + route.compute_ms
        if self._random.random() < HICCUP:
            own += self._random.uniform(10, 80)
        for fault in self._faults:
            if not fault.hits(at, *me):
                continue
            if fault.kind in ("latency", "version"):
                own += fault.value * self._random.uniform(0.8, 1.2)
            if fault.kind == "cpu":
                own *= fault.value * self._random.uniform(0.3, 1.7)
            if fault.kind == "host":
                own *= fault.value * self._random.uniform(0.6, 1.4)
        return own / 1000

    def _slower(self, at: float) -> float:
        return max((f.value for f in self._faults if f.kind == "host" and at >= f.start), default=1.0)

    def _hop_s(self) -> float:
        return self._random.lognormvariate(math.log(0.3), 0.5) / 1000

    def _record(
        self,
        trace: str,
        span_id: str,
        parent: str,
        me: tuple[str, str, str],
        route: Route,
        kind: Kind,
        start: float,
        end: float,
        failed: bool,
        attributes: dict[str, str],
    ) -> None:
        name = f"{route.method} {route.path}"
        timing = round(start * 1e9), round((end - start) * 1e9)
        peer = attributes["mesh.destination.service"]
        span = Span(trace, span_id, parent, *me, name, kind, *timing, failed, peer)
        self._spans.append(Proxied(span, attributes))

    def _id(self, size: int) -> str:
        return self._random.randbytes(size).hex()


def _shape(call: Call) -> tuple[str, int]:
    return call.method, call.path.count("/")


def _union(children: list[tuple[float, float, bool]]) -> float:
    covered, upto = 0.0, 0.0
    for start, end, _ in sorted(children):
        covered += max(0.0, end - max(start, upto))
        upto = max(upto, end)
    return covered


def _ends(side: str, end: tuple[str, str, str]) -> dict[str, str]:
    names = ("service", "version", "instance")
    return {f"mesh.{side}.{name}": value for name, value in zip(names, end, strict=True) if value}


def otlp(spans: list[Proxied], batch: int = 1000) -> Iterator[ExportTraceServiceRequest]:
    """The spans as a proxy's export requests."""
    for first in range(0, len(spans), batch):
        yield ExportTraceServiceRequest(
            resource_spans=[
                ResourceSpans(resource=_resource(one), scope_spans=[ScopeSpans(spans=[_otlp(one)])])
                for one in spans[first : first + batch]
            ]
        )


def _resource(one: Proxied) -> Resource:
    span = one.span
    names = {"service.name": span.service, "service.version": span.version, "service.instance.id": span.instance}
    return Resource(attributes=_attributes(names | one.resource))


def _otlp(one: Proxied) -> OtlpSpan:
    span = one.span
    kinds = {
        Kind.SERVER: OtlpSpan.SPAN_KIND_SERVER,
        Kind.CLIENT: OtlpSpan.SPAN_KIND_CLIENT,
        Kind.INTERNAL: OtlpSpan.SPAN_KIND_INTERNAL,
    }
    return OtlpSpan(
        trace_id=bytes.fromhex(span.trace),
        span_id=bytes.fromhex(span.id),
        parent_span_id=bytes.fromhex(span.parent),
        name=span.name,
        kind=kinds[span.kind],
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.end_ns,
        status=Status(code=Status.STATUS_CODE_ERROR if span.failed else Status.STATUS_CODE_UNSET),
        attributes=_attributes(one.attributes),
    )


def _attributes(values: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in values.items()]
