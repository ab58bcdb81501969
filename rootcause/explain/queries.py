"""SQL that shows a statement's numbers to whoever doubts them; it runs as printed, in any ClickHouse client.

In: the two windows. Out: text with every value written out, for the roll-ups or for raw spans.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from collector.store.quoting import literal
from rootcause.attribute.places import Kind
from rootcause.attribute.steps import StepShift
from rootcause.load.first_told import NODE
from rootcause.load.read_moments import TOOK_MS
from rootcause.load.step_names import written
from rootcause.load.traits import ZONE_KEY
from rootcause.load.window import OF_TIME, Interval, Window


class Queries(Protocol):
    """One statement a method; each compares the baseline window with the incident window."""

    def entries(self, service: str) -> str:
        """What users got from an entry point."""

    def service(self, service: str) -> str:
        """Own time and own errors of a service by version, instance and route."""

    def link(self, source: str, destination: str) -> str:
        """Both ends' view of a link."""

    def usage(self, service: str) -> str:
        """How full the instances of a service were."""

    def places(self, kind: Kind, services: Sequence[str]) -> str:
        """How long requests to some services took by themselves, by node or zone, in the incident window."""

    def lines(self, service: str, pattern: str) -> str:
        """How often a service wrote what this pattern says, or something that holds the same words in this order."""

    def events(self, service: str, pattern: str) -> str:
        """How often that is an event in spans of a service, an exception with its type."""


_CALLED = re.compile(r"-> ([^ ,]+)(?: \(.*\))?")
"""One callee; of calls in another order (`-> a, then -> b`) no link tells."""
_THROWN = re.compile("ERROR (exception .*)")
"""How exceptions of spans are counted among what is logged, where no request is known (load/from_logs.py)."""


def step_sql(step: StepShift, queries: Queries) -> str:
    """What shows how often the step is taken."""
    told = written(step.name)
    if told is None:
        called = _CALLED.fullmatch(step.name)
        return queries.link(step.service, called[1]) if called else queries.service(step.service)
    thrown = _THROWN.match(told.text) if step.route == OF_TIME else None
    if thrown is not None:
        return queries.events(step.service, thrown[1])
    return queries.lines(step.service, told.text) if told.where == "log" else queries.events(step.service, told.text)


class _BesideCalls:
    """What is asked of the same tables, whoever recorded the calls."""

    def __init__(self, baseline: Window, observed: Window) -> None:
        self._windows = baseline, observed

    def usage(self, service: str) -> str:
        which, where = _which("TimeUnix", *self._windows)
        return (
            f"SELECT {which} AS Window, ResourceAttributes['service.instance.id'] AS Instance, MetricName,\n"
            "  count() AS Samples, round(quantileExact(0.95)(Value), 3) AS P95, round(max(Value), 3) AS Most\n"
            f"FROM otel.otel_metrics_gauge\nWHERE ServiceName = {literal(service)} AND {_RESOURCES}"
            f" AND {where}\nGROUP BY Window, Instance, MetricName ORDER BY MetricName, Instance, Window"
        )

    def places(self, kind: Kind, services: Sequence[str]) -> str:
        names = ", ".join(map(literal, services))
        where = NODE if kind == "node" else f"ResourceAttributes['{ZONE_KEY}']"
        return (
            f"SELECT ServiceName AS Service, {where} AS Place, count() AS Requests,"
            f" round(avg({TOOK_MS}), 2) AS MeanMs\n"
            f"FROM otel.otel_traces\nWHERE ServiceName IN ({names}) AND SpanKind = 'Server'"
            f" AND SpanAttributes['mesh.destination.service'] = ServiceName\n"
            f"  AND {_inside('Timestamp', self._windows[1].intervals)}\nGROUP BY Service, Place ORDER BY Service, Place"
        )

    def lines(self, service: str, pattern: str) -> str:
        which, where = _which("TimestampTime", *self._windows)
        severity, _, text = pattern.partition(" ")
        return (
            f"SELECT {which} AS Window, count() AS Lines, uniqIf(TraceId, TraceId != '') AS Traces,\n"
            "  any(substringUTF8(Body, 1, 300)) AS Example, anyIf(TraceId, TraceId != '') AS Trace\n"
            f"FROM otel.otel_logs\nWHERE ServiceName = {literal(service)}\n"
            f"  AND SeverityText IN ({literal(severity)}, '') AND {_holds('Body', text)}\n  AND {where}\n"
            "GROUP BY Window ORDER BY Window"
        )

    def events(self, service: str, pattern: str) -> str:
        which, where = _which("Timestamp", *self._windows)
        return (
            f"SELECT {which} AS Window, count() AS Times, uniq(TraceId) AS Traces, any(TraceId) AS Trace\n"
            "FROM otel.otel_traces ARRAY JOIN Events.Name AS Event, Events.Attributes AS More\n"
            f"WHERE ServiceName = {literal(service)}"
            f" AND concat(Event, ' ', More['exception.type']) LIKE {literal(_like(pattern))}\n"
            f"  AND {where}\nGROUP BY Window ORDER BY Window"
        )


class RollupQueries(_BesideCalls):
    """Over `mesh_routes` and `mesh_edges`."""

    def __init__(self, baseline: Window, observed: Window) -> None:
        super().__init__(baseline, observed)
        self._which, self._where = _which("Bucket", baseline, observed)

    def entries(self, service: str) -> str:
        return (
            f"SELECT {self._which} AS Window, Route, sum(Calls) AS Requests, sum(Errors) AS Failed,\n"
            "  round(sum(DurationSum) / sum(Calls) / 1e6, 2) AS MeanMs,\n"
            "  round(quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)(Durations)[3] / 1e6, 2) AS P95Ms\n"
            f"FROM otel.mesh_routes\nWHERE Service = {literal(service)} AND Entry = 1 AND {self._where}\n"
            "GROUP BY Window, Route ORDER BY Route, Window"
        )

    def service(self, service: str) -> str:
        return (
            f"SELECT {self._which} AS Window, Version, Instance, Route, sum(Calls) AS Requests,\n"
            "  round(sum(OwnSum) / greatest(sum(OwnCalls), 1) / 1e6, 2) AS OwnMs,\n"
            "  sum(OwnErrors) AS OwnFailed, sumMap(Reasons) AS Why\n"
            f"FROM otel.mesh_routes\nWHERE Service = {literal(service)} AND {self._where}\n"
            "GROUP BY Window, Version, Instance, Route ORDER BY Route, Version, Instance, Window"
        )

    def link(self, source: str, destination: str) -> str:
        return (
            f"SELECT {self._which} AS Window, Reporter, sum(Calls) AS Requests, sum(Errors) AS Failed,\n"
            "  round(sum(DurationSum) / sum(Calls) / 1e6, 2) AS MeanMs,\n"
            "  round(sum(ConnectSum) / sum(Calls) / 1e3, 2) AS ConnectMs, sumMap(Reasons) AS Why\n"
            f"FROM otel.mesh_edges\nWHERE Source = {literal(source)} AND Destination = {literal(destination)}"
            f" AND {self._where}\nGROUP BY Window, Reporter ORDER BY Reporter, Window"
        )


class SpanQueries(_BesideCalls):
    """Over `otel_traces`, for spans that the mesh did not make."""

    def __init__(self, baseline: Window, observed: Window) -> None:
        super().__init__(baseline, observed)
        self._which, self._where = _which("Timestamp", baseline, observed)

    def entries(self, service: str) -> str:
        return self._spans(service, "ParentSpanId = ''")

    def service(self, service: str) -> str:
        return self._spans(service, "1")

    def link(self, source: str, destination: str) -> str:
        which, where = _which("c.Timestamp", *self._windows)
        return (
            f"SELECT {which} AS Window, count() AS Requests, countIf(c.StatusCode = 'Error') AS Failed,\n"
            "  round(avg(c.Duration) / 1e6, 2) AS CallerMs, round(avg(s.Duration) / 1e6, 2) AS CalleeMs\n"
            "FROM otel.otel_traces AS c\n"
            "INNER JOIN otel.otel_traces AS s ON s.TraceId = c.TraceId AND s.ParentSpanId = c.SpanId\n"
            f"WHERE c.ServiceName = {literal(source)} AND s.ServiceName = {literal(destination)} AND {where}\n"
            "GROUP BY Window ORDER BY Window"
        )

    def _spans(self, service: str, condition: str) -> str:
        return (
            f"SELECT {self._which} AS Window, SpanKind, SpanName, count() AS Spans,\n"
            "  countIf(StatusCode = 'Error') AS Failed, round(avg(Duration) / 1e6, 2) AS MeanMs\n"
            f"FROM otel.otel_traces\nWHERE ServiceName = {literal(service)} AND {condition} AND {self._where}\n"
            "GROUP BY Window, SpanKind, SpanName ORDER BY SpanKind, SpanName, Window"
        )


_OF_LIKE = re.compile(r"[\\%_]")
_RESOURCES = "match(MetricName, '(?i)cpu|mem|heap|disk|filesystem|socket|thread|restart')"


def _holds(column: str, pattern: str) -> str:
    """Also where a logger writes JSON in nothing but ASCII."""
    in_ascii = json.dumps(pattern)[1:-1]
    forms = [pattern] if pattern.isascii() else [pattern, in_ascii]
    return "(" + " OR ".join(f"{column} LIKE {literal(_like(form))}" for form in forms) + ")"


def _like(pattern: str) -> str:
    """What holds the words of a pattern in their order, for LIKE."""
    words = pattern.replace("*", " ").split()
    return "".join("%" + _OF_LIKE.sub(r"\\\g<0>", word) for word in words) + "%"


def _which(column: str, baseline: Window, observed: Window) -> tuple[str, str]:
    inside = _inside(column, observed.intervals)
    either = _inside(column, (*baseline.intervals, *observed.intervals))
    return f"if({inside}, 'incident', 'baseline')", either


def _inside(column: str, intervals: tuple[Interval, ...]) -> str:
    parts = (f"{column} >= {_moment(i.start)} AND {column} < {_moment(i.end)}" for i in intervals)
    return "(" + " OR ".join(parts) + ")"


def _moment(time: float) -> str:
    return f"toDateTime('{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}', 'UTC')"
