-- As mesh_routes_mv, for what is left out by tail sampling: only kept traces become examples.
CREATE MATERIALIZED VIEW IF NOT EXISTS otel.mesh_unkept_routes_mv TO otel.mesh_routes AS
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
    SpanAttributes['mesh.reason'] AS reason,
    SpanAttributes['mesh.time.own_us'] AS own
SELECT
    toDateTime(toStartOfInterval(Timestamp, INTERVAL 10 SECOND)) AS Bucket,
    SpanAttributes['mesh.destination.service'] AS Service,
    SpanAttributes['mesh.destination.version'] AS Version,
    SpanAttributes['mesh.destination.instance'] AS Instance,
    SpanAttributes['mesh.route'] AS Route,
    SpanAttributes['http.request.method'] AS Method,
    SpanAttributes['mesh.source.service'] = '' AND NOT tunnel AS Entry,
    count() AS Calls,
    countIf(failed) AS Errors,
    countIf(failed AND toUInt32OrZero(SpanAttributes['mesh.children.failed']) = 0) AS OwnErrors,
    sum(toUInt64OrZero(SpanAttributes['mesh.children'])) AS Children,
    sum(took) AS DurationSum,
    sum(toUInt64OrZero(own) * 1000) AS OwnSum,
    countIf(own != '') AS OwnCalls,
    quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(took) AS Durations,
    quantilesDDStateIf(0.01, 0.5, 0.9, 0.95, 0.99)(toUInt64OrZero(own) * 1000, own != '') AS OwnDurations,
    sumMap(if(reason = '', map(), map(reason, toUInt64(1)))) AS Reasons,
    argMaxState('', toUInt64(0)) AS SlowTrace,
    '' AS ErrorTrace
FROM otel.mesh_unkept
WHERE SpanKind = 'Server' AND SpanAttributes['mesh.destination.service'] != ''
GROUP BY Bucket, Service, Version, Instance, Route, Method, Entry
