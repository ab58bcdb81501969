"""The queries the SQL page offers, each an answer to a question people ask of a mesh."""

EXAMPLES = {
    "Slowest services, last 15 minutes": """\
WITH quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)(Durations) AS quantiles
SELECT Service,
       sum(Calls) AS calls,
       round(sum(Errors) / calls * 100, 2) AS errors_percent,
       round(quantiles[1] / 1e6, 1) AS p50_ms,
       round(quantiles[3] / 1e6, 1) AS p95_ms,
       round(quantiles[4] / 1e6, 1) AS p99_ms
FROM otel.mesh_routes
WHERE Bucket >= now() - INTERVAL 15 MINUTE
GROUP BY Service
ORDER BY p95_ms DESC""",
    "Who calls whom": """\
SELECT if(Source = '', 'outside', Source) AS caller,
       Destination AS callee,
       sum(Calls) AS calls,
       sum(Errors) AS errors,
       round(sum(DurationSum) / calls / 1e6, 2) AS mean_ms
FROM otel.mesh_edges
WHERE Bucket >= now() - INTERVAL 15 MINUTE AND Reporter = if(Source = '', 'destination', 'source')
GROUP BY caller, callee
ORDER BY calls DESC""",
    "Own time of each service by version": """\
SELECT Service, Version,
       sum(Calls) AS calls,
       round(sum(OwnSum) / greatest(sum(OwnCalls), 1) / 1e6, 2) AS own_ms_a_request
FROM otel.mesh_routes
WHERE Bucket >= now() - INTERVAL 15 MINUTE
GROUP BY Service, Version
ORDER BY own_ms_a_request DESC""",
    "Slowest requests from outside": """\
SELECT Timestamp, TraceId, ServiceName, SpanName, round(Duration / 1e6, 1) AS ms, StatusCode
FROM otel.otel_traces
WHERE SpanKind = 'Server' AND SpanAttributes['mesh.source.service'] = ''
  AND Timestamp >= now() - INTERVAL 15 MINUTE
ORDER BY Duration DESC
LIMIT 50""",
    "Failed requests and why": """\
SELECT Timestamp, ServiceName, SpanName,
       SpanAttributes['http.response.status_code'] AS status,
       SpanAttributes['mesh.reason'] AS reason,
       TraceId
FROM otel.otel_traces
WHERE StatusCode = 'Error' AND Timestamp >= now() - INTERVAL 15 MINUTE
ORDER BY Timestamp DESC
LIMIT 100""",
    "Spans by the value of an attribute": """\
SELECT Timestamp, TraceId, ServiceName, SpanName, Duration
FROM otel.otel_traces
WHERE SpanAttributes['mesh.destination.instance'] = 'payments-1'
  AND has(mapValues(SpanAttributes), 'payments-1') -- finds the few places where the value is
ORDER BY Timestamp DESC
LIMIT 100""",
    "Changes of the mesh": """\
SELECT Time, Kind, Service, Summary, Actor
FROM otel.mesh_changes
ORDER BY Time DESC
LIMIT 50""",
    "Alarms": """\
SELECT OpenedAt, ResolvedAt, Severity, Title, Why, Value, Limit
FROM otel.mesh_alarms FINAL
ORDER BY OpenedAt DESC
LIMIT 50""",
    "Incidents": """\
SELECT Id, State, OpenedAt, ResolvedAt, Title, Service, Version, Confidence
FROM otel.mesh_incidents FINAL
ORDER BY OpenedAt DESC
LIMIT 50""",
}
