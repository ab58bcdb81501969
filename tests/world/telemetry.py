"""Makes the telemetry of a shop of eight services: whole traces, both ends of each call, one fault part way.

In: a moment and how long before it to begin. Out: rows of `otel_traces` as JSON objects, and an incident's Finding.
Never: two different shops for one seed, so that a test can state what it will see.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]

SERVICES = ("front", "catalog", "recommendations", "cart", "checkout", "payments", "shipping", "inventory")
CALLS = {
    "front": ("catalog", "recommendations", "cart", "checkout"),
    "catalog": ("inventory",),
    "recommendations": ("catalog",),
    "cart": ("inventory",),
    "checkout": ("cart", "payments", "shipping"),
    "payments": (),
    "shipping": ("inventory",),
    "inventory": (),
}
ROUTES = {
    "front": ("GET", "/"),
    "catalog": ("GET", "/items/{id}"),
    "recommendations": ("GET", "/for/{user}"),
    "cart": ("GET", "/cart/{user}"),
    "checkout": ("POST", "/checkout"),
    "payments": ("POST", "/charge"),
    "shipping": ("POST", "/quote"),
    "inventory": ("GET", "/stock/{id}"),
}
OWN_MS = {
    "front": 4.0,
    "catalog": 6.0,
    "recommendations": 9.0,
    "cart": 5.0,
    "checkout": 8.0,
    "payments": 22.0,
    "shipping": 11.0,
    "inventory": 3.0,
}
# What a visit to the front page asks for: most look around, some buy.
VISITS = ((0.55, ("catalog", "recommendations")), (0.25, ("catalog", "cart")), (0.20, ("checkout",)))
CULPRIT = "payments"
FAULT_MS = 240.0
FAULT_ERRORS = 0.08
LINK_MS = 0.4


@dataclass
class Shop:
    """Draws traces one after the other; `fault_at` is when the culprit becomes slow and starts to fail."""

    fault_at: datetime
    seed: int = 7
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def traces(self, start: datetime, end: datetime, per_second: float) -> Iterator[list[Row]]:
        """The spans of each visit between two moments."""
        moment = start
        while moment < end:
            yield self.visit(moment)
            moment += timedelta(seconds=self.chance.expovariate(per_second))

    def visit(self, moment: datetime) -> list[Row]:
        """One request from outside and everything it caused."""
        spans: list[Row] = []
        trace = f"{self.chance.getrandbits(128):032x}"
        self._serve(trace, "", "", "front", _nanoseconds(moment), spans)
        return spans

    def _serve(
        self, trace: str, parent: str, source: str, service: str, start: int, spans: list[Row]
    ) -> tuple[int, bool]:
        """The server span of one request and those of its calls; returns how long it took and whether it failed."""
        span = f"{self.chance.getrandbits(64):016x}"
        version, instance = self._endpoint(service)
        own = self._own_time(service, version, start)
        failed = service == CULPRIT and self._faulty(start) and self.chance.random() < FAULT_ERRORS
        at, broken = start + own // 2, 0
        called = self._called(service)
        for target in called:
            took, bad = self._call(trace, span, (service, version, instance), target, at, spans)
            at += took
            broken += bad
        duration = at - start + own - own // 2
        failed = failed or broken > 0
        spans.append(
            _row(
                trace,
                (span, parent),
                "Server",
                (service, version, instance),
                start,
                duration,
                failed,
                {
                    **_peer("source", source, "v1"),
                    **_named("destination", service, version, instance),
                    "mesh.time.own_us": str(own // 1000),
                    "mesh.children": str(len(called)),
                    "mesh.children.failed": str(broken),
                },
                service,
            )
        )
        return duration, failed

    def _call(
        self, trace: str, parent: str, caller: tuple[str, str, str], target: str, start: int, spans: list[Row]
    ) -> tuple[int, bool]:
        """The client span of one call and what it reached."""
        span = f"{self.chance.getrandbits(64):016x}"
        link = int(LINK_MS * 1e6 * self.chance.uniform(0.6, 1.8))
        took, failed = self._serve(trace, span, caller[0], target, start + link // 2, spans)
        reached = spans[-1]["SpanAttributes"]
        attributes = {
            **_named("source", *caller),
            **{key: value for key, value in reached.items() if key.startswith("mesh.destination.")},
            "mesh.attempt": "1",
        }
        spans.append(_row(trace, (span, parent), "Client", caller, start, took + link, failed, attributes, target))
        return took + link, failed

    def _called(self, service: str) -> tuple[str, ...]:
        if service != "front":
            return CALLS[service]
        draw = self.chance.random()
        for share, targets in VISITS:
            if draw < share:
                return targets
            draw -= share
        return ()

    def _endpoint(self, service: str) -> tuple[str, str]:
        if service == "recommendations":
            version = "v2" if self.chance.random() < 0.3 else "v1"
            return version, f"recommendations-{version[1:]}"
        return "v1", f"{service}-{self.chance.choice((1, 2))}" if service in {"front", "inventory"} else f"{service}-1"

    def _own_time(self, service: str, version: str, at: int) -> int:
        usual = OWN_MS[service] * (1.2 if version == "v2" else 1.0)
        if service == CULPRIT and self._faulty(at):
            usual += FAULT_MS
        return int(usual * 1e6 * self.chance.lognormvariate(0, 0.25))

    def _faulty(self, at: int) -> bool:
        return at >= _nanoseconds(self.fault_at)


def change(at: datetime) -> Row:
    """The span by which a control plane reports a rollout of the culprit."""
    attributes = {
        "mesh.change.kind": "rollout",
        "mesh.change.service": CULPRIT,
        "mesh.change.before": "build 41",
        "mesh.change.after": "build 42",
        "mesh.change.actor": "ci",
        "mesh.change.summary": "payments: build 41 to build 42",
        "mesh.epoch": "8",
    }
    row = _row("c" * 32, ("c" * 16, ""), "Internal", ("control", "", ""), _nanoseconds(at), 1000, False, {}, CULPRIT)
    return {**row, "SpanName": "mesh.change", "SpanAttributes": attributes}


def incident(state: str, fault_at: datetime, now: datetime, exemplars: list[str], others: list[str]) -> Row:
    """A row of `mesh_incidents` whose Finding names the culprit."""
    opened = fault_at + timedelta(seconds=40)
    finding = {
        "id": f"inc-{fault_at:%H%M%S}",
        "state": state,
        "opened_at": opened.isoformat(),
        "resolved_at": None if state == "open" else now.isoformat(),
        "updated_at": now.isoformat(),
        "title": "checkout p95 +251 ms: 94 % is payments' own time",
        "symptom": {
            "service": "checkout",
            "route": "/checkout",
            "signal": "latency",
            "baseline": 68.0,
            "observed": 319.0,
            "unit": "ms",
        },
        "culprit": {"service": CULPRIT, "version": "v1", "instance": "payments-1", "route": "/charge", "link": None},
        "confidence": 0.93,
        "contribution": {"value": 236.0, "unit": "ms", "share": 0.94},
        "ranking": [
            _ranked("payments", 0.93, (22.4, 258.6), (0.0, 0.081), "own time grew 236 ms as the symptom began"),
            _ranked("shipping", 0.03, (11.2, 11.6), (0.0, 0.0), "own time moved 0.4 ms"),
            _ranked("checkout", 0.02, (8.1, 8.2), (0.0, 0.0), "waits for payments"),
        ],
        "ruled_out": [
            {"service": "inventory", "why": "answers as fast as before; cart and catalog, which call it too, are well"},
            {"service": "cart", "why": "own time and errors did not change"},
        ],
        "exemplars": exemplars,
        "counter_exemplars": others,
        "change": {
            "time": (fault_at - timedelta(seconds=20)).isoformat(),
            "kind": "rollout",
            "service": CULPRIT,
            "summary": "payments: build 41 to build 42",
            "actor": "ci",
        },
        "evidence": [
            {
                "statement": "payments' own time went from 22 ms to 259 ms a request",
                "sql": "SELECT Bucket, round(sum(OwnSum) / sum(OwnCalls) / 1e6, 1) AS own_ms\n"
                "FROM otel.mesh_routes\nWHERE Service = 'payments'\nGROUP BY Bucket\nORDER BY Bucket",
            },
            {
                "statement": "the link from checkout to payments did not change",
                "sql": "SELECT Reporter, round(sum(DurationSum) / sum(Calls) / 1e6, 1) AS mean_ms\nFROM otel.mesh_edges\n"
                "WHERE Source = 'checkout' AND Destination = 'payments'\nGROUP BY Reporter",
            },
        ],
        "windows": {
            "baseline": [(fault_at - timedelta(minutes=5)).isoformat(), fault_at.isoformat()],
            "incident": [fault_at.isoformat(), now.isoformat()],
        },
    }
    return {
        "Id": finding["id"],
        "State": state,
        "OpenedAt": f"{opened:%F %T.000}",
        "ResolvedAt": None if state == "open" else f"{now:%F %T.000}",
        "UpdatedAt": f"{now:%F %T.000}",
        "Title": finding["title"],
        "Signal": "latency",
        "Service": CULPRIT,
        "Version": "v1",
        "Instance": "payments-1",
        "Route": "/charge",
        "Link": "",
        "Confidence": 0.93,
        "Finding": json.dumps(finding),
    }


def _ranked(
    service: str, score: float, own: tuple[float, float], errors: tuple[float, float], why: str
) -> dict[str, Any]:
    return {
        "service": service,
        "score": score,
        "own_time_ms": {"baseline": own[0], "observed": own[1]},
        "own_errors": {"baseline": errors[0], "observed": errors[1]},
        "why": why,
    }


def _row(
    trace: str,
    ids: tuple[str, str],
    kind: str,
    reporter: tuple[str, str, str],
    start: int,
    duration: int,
    failed: bool,
    attributes: dict[str, str],
    target: str,
) -> Row:
    service, version, instance = reporter
    method, route = ROUTES[target]
    mesh = {
        "http.request.method": method,
        "http.response.status_code": "500" if failed else "200",
        "http.route": route,
        "mesh.route": route,
        "mesh.epoch": "7",
    }
    return {
        "Timestamp": f"{start // 10**9}.{start % 10**9:09d}",
        "TraceId": trace,
        "SpanId": ids[0],
        "ParentSpanId": ids[1],
        "TraceState": "",
        "SpanName": f"{method} {route}",
        "SpanKind": kind,
        "ServiceName": service,
        "ResourceAttributes": {
            "service.instance.id": instance,
            "service.name": service,
            "service.version": version,
        },
        "ScopeName": "whymesh.proxy",
        "ScopeVersion": "0.1.0",
        "SpanAttributes": dict(sorted({**mesh, **attributes}.items())),
        "Duration": duration,
        "StatusCode": "Error" if failed else "Unset",
        "StatusMessage": "",
    }


def _named(end: str, service: str, version: str, instance: str) -> dict[str, str]:
    return {
        f"mesh.{end}.service": service,
        f"mesh.{end}.version": version,
        f"mesh.{end}.instance": instance,
    }


def _peer(end: str, service: str, version: str) -> dict[str, str]:
    return _named(end, service, version, f"{service}-1") if service else {}


def _nanoseconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1_000_000) * 1000
