-- A plain view over each inserted block: both ends of an edge are on the span itself, so nothing is joined.
CREATE MATERIALIZED VIEW IF NOT EXISTS otel.mesh_edges_mv TO otel.mesh_edges AS
WITH
    -- A caller's own mistakes, in HTTP and in gRPC, are errors of its span only.
    startsWith(SpanAttributes['http.response.status_code'], '4')
        OR SpanAttributes['rpc.response.status_code'] IN (
            'CANCELLED', 'INVALID_ARGUMENT', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED',
            'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNAUTHENTICATED'
        ) AS mistaken,
    StatusCode = 'Error' AND NOT mistaken AS failed,
    SpanAttributes['mesh.reason'] AS reason
SELECT
    toDateTime(toStartOfInterval(Timestamp, INTERVAL 10 SECOND)) AS Bucket,
    if(SpanKind = 'Client', 'source', 'destination') AS Reporter,
    SpanAttributes['mesh.source.service'] AS Source,
    SpanAttributes['mesh.source.version'] AS SourceVersion,
    SpanAttributes['mesh.source.instance'] AS SourceInstance,
    SpanAttributes['mesh.destination.service'] AS Destination,
    SpanAttributes['mesh.destination.version'] AS DestinationVersion,
    SpanAttributes['mesh.destination.instance'] AS DestinationInstance,
    SpanAttributes['mesh.route'] AS Route,
    count() AS Calls,
    countIf(failed) AS Errors,
    countIf(failed AND reason != '') AS MeshErrors,
    sum(Duration) AS DurationSum,
    sum(toUInt64OrZero(SpanAttributes['mesh.time.connect_us'])) AS ConnectSum,
    quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(Duration) AS Durations,
    sumMap(if(reason = '', map(), map(reason, toUInt64(1)))) AS Reasons,
    argMaxState(TraceId, Duration) AS SlowTrace,
    maxIf(TraceId, failed) AS ErrorTrace
FROM otel.otel_traces
WHERE SpanKind IN ('Client', 'Server') AND SpanAttributes['mesh.destination.service'] != ''
GROUP BY Bucket, Reporter, Source, SourceVersion, SourceInstance, Destination, DestinationVersion, DestinationInstance, Route
