"""What the pages ask the store: SQL over the roll-ups, and over the raw spans for single traces.

In: a way to ask (`ask.rows`) and a Window. Out: rows with lower-case names; durations in nanoseconds.
Never: a scan of `otel_traces` over a whole window; what a page shows by default comes from roll-ups and keys.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from dashboards.window import Window

Rows = list[dict[str, Any]]

QUANTILES = "quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)"
WITHIN = "Bucket >= %(start)s AND Bucket < %(end)s"
# Over whole minutes the roll-ups keep sums of their own (projections by_minute).
WITHIN_MINUTES = (
    "toStartOfMinute(Bucket) >= toStartOfMinute(%(start)s) AND toStartOfMinute(Bucket) < toDateTime(%(end)s)"
)
LONG_SECONDS = 3600
COUNTS_SETTLE = timedelta(minutes=1)
COUNTED_AT_LEAST = timedelta(minutes=10)


class Ask(Protocol):
    """Runs one SELECT with parameters and names its values."""

    def __call__(self, sql: str, params: Mapping[str, Any]) -> Rows: ...


EDGES = f"""
SELECT Source AS source, Destination AS target, Reporter AS reporter,
       sum(Calls) AS calls, sum(Errors) AS errors, sum(MeshErrors) AS mesh_errors,
       sum(DurationSum) AS duration_sum, {QUANTILES}(Durations) AS quantiles
FROM otel.mesh_edges
WHERE {{within}}
GROUP BY source, target, reporter"""

CAPTURED = f"""
SELECT Source AS source, Destination AS target, sum(Told) AS counted, sum(Seen) AS captured, sum(Gone) AS unkept
FROM
(
    SELECT Source, Destination, Counted AS Told, Captured AS Seen, 0 AS Gone FROM otel.mesh_captured WHERE {WITHIN}
    UNION ALL
    SELECT Source, Destination, 0, 0, Calls FROM otel.mesh_unkept_calls WHERE {WITHIN}
)
GROUP BY source, target
HAVING counted > 0"""

SERVICES = f"""
SELECT Service AS service, sum(Calls) AS calls, sum(Errors) AS errors, sum(DurationSum) AS duration_sum,
       {QUANTILES}(Durations) AS quantiles, sum(OwnSum) AS own_sum, sum(OwnCalls) AS own_calls,
       groupUniqArray(Version) AS versions, min(Bucket) AS first
FROM otel.mesh_routes
WHERE {{within}}
GROUP BY service"""

KNOWN_EDGES = """
SELECT DISTINCT Source AS source, Destination AS target
FROM otel.mesh_edges
WHERE {within}"""

INSTANCES = f"""
SELECT Version AS version, Instance AS instance, sum(Calls) AS calls, sum(Errors) AS errors,
       {QUANTILES}(Durations) AS quantiles, sum(OwnSum) AS own_sum, sum(OwnCalls) AS own_calls
FROM otel.mesh_routes
WHERE {WITHIN} AND Service = %(service)s
GROUP BY version, instance
ORDER BY version, instance"""

ROUTES = f"""
SELECT Method AS method, Route AS route, sum(Calls) AS calls, sum(Errors) AS errors,
       {QUANTILES}(Durations) AS quantiles
FROM otel.mesh_routes
WHERE {WITHIN} AND Service = %(service)s
GROUP BY method, route
ORDER BY calls DESC
LIMIT 12"""

EDGE_PAIRS = f"""
SELECT SourceInstance AS caller, DestinationInstance AS callee, DestinationVersion AS version,
       sum(Calls) AS calls, sum(Errors) AS errors, {QUANTILES}(Durations) AS quantiles
FROM otel.mesh_edges
WHERE {WITHIN} AND Source = %(source)s AND Destination = %(target)s AND Reporter = %(reporter)s
GROUP BY caller, callee, version
ORDER BY calls DESC
LIMIT 50"""

REASONS = f"""
SELECT arrayJoin(sumMap(Reasons)) AS reason
FROM otel.mesh_edges
WHERE {WITHIN} AND Source = %(source)s AND Destination = %(target)s AND Reporter = %(reporter)s"""

SERVICE_SERIES = f"""
SELECT toStartOfInterval({{bucket}}, toIntervalSecond(%(step)s)) AS time, sum(Calls) AS calls, sum(Errors) AS errors,
       sum(DurationSum) AS duration_sum, {QUANTILES}(Durations) AS quantiles
FROM otel.mesh_routes
WHERE {{within}} AND Service = %(service)s{{route}}
GROUP BY time
ORDER BY time"""

EDGE_SERIES = f"""
SELECT toStartOfInterval({{bucket}}, toIntervalSecond(%(step)s)) AS time, sum(Calls) AS calls, sum(Errors) AS errors,
       {QUANTILES}(Durations) AS quantiles
FROM otel.mesh_edges
WHERE {{within}} AND Source = %(source)s AND Destination = %(target)s AND Reporter = %(reporter)s
GROUP BY time
ORDER BY time"""

# The roll-ups keep an example of each bucket; the spans behind them are then found by key and trace id.
EXAMPLES = f"""
SELECT groupUniqArrayIf(4)(slow, slow != '') AS slow, groupUniqArrayIf(4)(failed, failed != '') AS failed
FROM
(
    SELECT argMaxMerge(SlowTrace) AS slow, max(ErrorTrace) AS failed, {QUANTILES}(Durations)[4] AS p99
    FROM otel.mesh_routes
    WHERE {WITHIN} AND Service = %(service)s
    GROUP BY Bucket, Route
    ORDER BY failed != '' DESC, p99 DESC
    LIMIT 16
)"""

EXAMPLE_SPANS = """
SELECT TraceId AS trace, Timestamp AS time, SpanName AS span, Duration AS duration, StatusCode AS status,
       SpanAttributes['http.response.status_code'] AS code, SpanAttributes['mesh.destination.instance'] AS instance
FROM otel.otel_traces
WHERE ServiceName = %(service)s AND SpanKind = 'Server' AND TraceId IN %(traces)s
      AND Timestamp >= %(start)s AND Timestamp < %(end)s
ORDER BY duration DESC
LIMIT 20"""

INCIDENTS = """
SELECT Id AS id, State AS state, OpenedAt AS opened_at, ResolvedAt AS resolved_at, UpdatedAt AS updated_at,
       Title AS title, Signal AS signal, Service AS service, Version AS version, Instance AS instance, Link AS link,
       Confidence AS confidence
FROM otel.mesh_incidents FINAL
ORDER BY state = 'open' DESC, opened_at DESC
LIMIT 200"""

DELIVERIES = """
SELECT Target AS target, max(Time) AS time, argMax(Event, Time) AS event, argMax(Delivered, Time) AS delivered,
       argMax(Error, Time) AS error
FROM otel.mesh_alerts
WHERE Time >= now() - INTERVAL 7 DAY
GROUP BY Target
ORDER BY time DESC
LIMIT 50
"""

ALARMS = """
SELECT Id AS id, Severity AS severity, OpenedAt AS opened_at, Title AS title, Why AS why, Sql AS sql,
       JSONExtractString(Acknowledged, 'by') AS owner
FROM otel.mesh_alarms FINAL
WHERE State = 'open'
ORDER BY severity = 'critical' DESC, opened_at
LIMIT 20"""

FINDING = "SELECT Finding AS finding FROM otel.mesh_incidents FINAL WHERE Id = %(id)s"

CHANGES = """
SELECT Time AS time, Kind AS kind, Service AS service, Summary AS summary, Actor AS actor
FROM otel.mesh_changes
WHERE Time >= %(start)s AND Time < %(end)s AND Kind != 'certificate'
ORDER BY time DESC
LIMIT 50"""

# When it was is found by key, and spares the days and hours in which it was not. Asked in one query with the spans,
# it takes twice as long: ClickHouse plans and runs the part inside it more than once.
TRACE_TIME = """
SELECT min(Start) AS start, max(End) AS end
FROM otel.otel_traces_trace_id_ts
WHERE TraceId = %(trace)s
HAVING count() > 0"""
TRACE = """
SELECT SpanId AS id, ParentSpanId AS parent, ServiceName AS service, SpanName AS span, SpanKind AS kind,
       toUnixTimestamp64Nano(Timestamp) AS start, Duration AS duration, StatusCode AS status,
       SpanAttributes AS attributes, ResourceAttributes['service.instance.id'] AS instance
FROM otel.otel_traces
WHERE TraceId = %(trace)s AND Timestamp >= %(start)s AND Timestamp < %(end)s
ORDER BY start
LIMIT 500"""

SCHEMA = """
SELECT table, name, type, comment
FROM system.columns
WHERE database = 'otel'
      AND table IN (SELECT name FROM system.tables WHERE database = 'otel' AND endsWith(engine, 'MergeTree'))
ORDER BY table, position"""


def edges(ask: Ask, window: Window) -> Rows:
    """Calls by source, target and the side that reported them."""
    return ask(EDGES.format(within=_within(window)), window.bounds())


def captured(ask: Ask, window: Window) -> Rows:
    """Requests that proxies counted and those that have a span, by edge: of ten minutes at least, for short windows
    have few, and without the last, for whose counts or spans it is early."""
    end = window.end - COUNTS_SETTLE
    return ask(CAPTURED, {"start": min(window.start, end - COUNTED_AT_LEAST), "end": end})


def services(ask: Ask, window: Window) -> Rows:
    """What each service answered."""
    return ask(SERVICES.format(within=_within(window)), window.bounds())


def known_edges(ask: Ask, window: Window) -> Rows:
    """Every edge that carried a call."""
    return ask(KNOWN_EDGES.format(within=_within(window)), window.bounds())


def instances(ask: Ask, window: Window, service: str) -> Rows:
    """What each version and instance of a service answered."""
    return ask(INSTANCES, {**window.bounds(), "service": service})


def routes(ask: Ask, window: Window, service: str) -> Rows:
    """The busiest routes of a service."""
    return ask(ROUTES, {**window.bounds(), "service": service})


def service_series(ask: Ask, window: Window, service: str, route: str = "") -> Rows:
    """A service over time in whole steps; `route` narrows it, '' is all of them."""
    params = {**window.bounds(), "step": window.step, "service": service, "route": route}
    only = " AND Route = %(route)s" if route else ""
    sql = SERVICE_SERIES.format(bucket=_bucket(window), within=_within(window), route=only)
    return _whole(ask(sql, params), window)


def edge_series(ask: Ask, window: Window, source: str, target: str) -> Rows:
    """An edge over time in whole steps, as its caller saw it."""
    sql = EDGE_SERIES.format(bucket=_bucket(window), within=_within(window))
    return _whole(ask(sql, {**window.bounds(), "step": window.step, **_edge(source, target)}), window)


def edge_pairs(ask: Ask, window: Window, source: str, target: str) -> Rows:
    """An edge by pair of instances."""
    return ask(EDGE_PAIRS, {**window.bounds(), **_edge(source, target)})


def reasons(ask: Ask, window: Window, source: str, target: str) -> list[tuple[str, int]]:
    """Why the mesh itself failed calls on an edge: code and count."""
    return [row["reason"] for row in ask(REASONS, {**window.bounds(), **_edge(source, target)})]


def example_spans(ask: Ask, window: Window, service: str) -> Rows:
    """Server spans of the slowest and of failing requests to a service, slowest first."""
    found = ask(EXAMPLES, {**window.bounds(), "service": service})
    traces = sorted({trace for row in found for trace in [*row["slow"], *row["failed"]] if trace})
    if not traces:
        return []
    return ask(EXAMPLE_SPANS, {**window.bounds(), "service": service, "traces": traces})


def incidents(ask: Ask) -> Rows:
    """Open incidents first, then the newest."""
    return ask(INCIDENTS, {})


def alarms(ask: Ask) -> Rows:
    """Objectives and rules that do not hold now, critical ones first."""
    return ask(ALARMS, {})


def deliveries(ask: Ask) -> Rows:
    """The last message to each webhook in a week and what became of it, the newest first."""
    return ask(DELIVERIES, {})


def finding(ask: Ask, incident: str) -> str | None:
    """The proof sheet of an incident as JSON text."""
    found = ask(FINDING, {"id": incident})
    return found[0]["finding"] if found else None


def changes(ask: Ask, window: Window) -> Rows:
    """Changes of the mesh, newest first; certificates come and go without one."""
    return ask(CHANGES, window.bounds())


def trace(ask: Ask, trace_id: str) -> Rows:
    """Spans of one trace by start."""
    found = ask(TRACE_TIME, {"trace": trace_id})
    if not found:
        return []
    whole_seconds = {"start": found[0]["start"], "end": found[0]["end"] + timedelta(seconds=1)}
    return ask(TRACE, {"trace": trace_id, **whole_seconds})


def spans_sql(trace_id: str) -> str:
    """A query of every span of a trace, for people: runs as printed."""
    escaped = trace_id.replace("\\", "\\\\").replace("'", "\\'")
    return (
        "SELECT Timestamp, ServiceName, SpanKind, SpanName, round(Duration / 1e6, 2) AS ms, StatusCode,\n"
        "       SpanAttributes['mesh.reason'] AS reason, SpanAttributes\n"
        f"FROM otel.otel_traces\nWHERE TraceId = '{escaped}'\nORDER BY Timestamp"
    )


def schema(ask: Ask) -> dict[str, Sequence[tuple[str, str]]]:
    """Column names and types of each table."""
    tables: dict[str, list[tuple[str, str]]] = {}
    for row in ask(SCHEMA, {}):
        tables.setdefault(row["table"], []).append((row["name"], row["type"]))
    return dict(tables)


def _within(window: Window) -> str:
    """A long window counts whole minutes: those of its ends, too."""
    return WITHIN if window.seconds < LONG_SECONDS else WITHIN_MINUTES


def _bucket(window: Window) -> str:
    """The time of a row: its minute where a point covers whole ones."""
    return "Bucket" if window.seconds < LONG_SECONDS else "toStartOfMinute(Bucket)"


def _whole(rows: Rows, window: Window) -> Rows:
    """Drops the steps that are not over or began before the window: a line must not fall where counting stopped."""
    step = timedelta(seconds=window.step)
    return [row for row in rows if window.start <= row["time"] and row["time"] + step <= window.complete]


def _edge(source: str, target: str) -> dict[str, str]:
    return {"source": source, "target": target, "reporter": "source" if source else "destination"}
