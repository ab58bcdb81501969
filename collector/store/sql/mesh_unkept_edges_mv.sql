-- As mesh_edges_mv, for what is left out by tail sampling: only kept traces become examples.
CREATE MATERIALIZED VIEW IF NOT EXISTS otel.mesh_unkept_edges_mv TO otel.mesh_edges AS
WITH
    -- A caller's own mistakes, in HTTP and in gRPC, are errors of its span only.
    startsWith(SpanAttributes['http.response.status_code'], '4')
        OR SpanAttributes['rpc.response.status_code'] IN (
            'CANCELLED', 'INVALID_ARGUMENT', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED',
            'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNAUTHENTICATED'
        ) AS mistaken,
    StatusCode = 'Error' AND NOT mistaken AS failed,
    SpanAttributes['mesh.sent_bytes'] != '' AS tunnel,
    -- What lasts as long as both sides like is as slow as its beginning.
    multiIf(
        tunnel, toUInt64OrZero(SpanAttributes['mesh.time.connect_us']) * 1000,
        SpanAttributes['http.response.status_code'] = '101', toUInt64OrZero(SpanAttributes['mesh.time.first_byte_us']) * 1000,
        Duration
    ) AS took,
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
    sum(took) AS DurationSum,
    sum(toUInt64OrZero(SpanAttributes['mesh.time.connect_us'])) AS ConnectSum,
    quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(took) AS Durations,
    sumMap(if(reason = '', map(), map(reason, toUInt64(1)))) AS Reasons,
    argMaxState('', toUInt64(0)) AS SlowTrace,
    '' AS ErrorTrace
FROM otel.mesh_unkept
-- Of a tunnel only the caller's end knows who calls.
WHERE (SpanKind = 'Client' OR SpanKind = 'Server' AND NOT tunnel) AND SpanAttributes['mesh.destination.service'] != ''
GROUP BY Bucket, Reporter, Source, SourceVersion, SourceInstance, Destination, DestinationVersion, DestinationInstance, Route
