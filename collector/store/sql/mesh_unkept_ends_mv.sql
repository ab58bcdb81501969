-- As mesh_ends_mv, for what is left out by tail sampling.
CREATE MATERIALIZED VIEW IF NOT EXISTS otel.mesh_unkept_ends_mv TO otel.mesh_ends AS
WITH
    if(
        SpanKind = 'Consumer' AND notEmpty(Links.TraceId),
        arrayDistinct(arrayZip(Links.TraceId, Links.SpanId)),
        [(TraceId, ParentSpanId)]
    ) AS parents,
    arrayJoin(arrayZip(parents, arrayEnumerate(parents))) AS parent,
    -- The place of the request in the mesh, which applications hand on (docs/telemetry.md).
    ParentSpanId != '' AND position(TraceState, concat('whymesh=', ParentSpanId)) > 0 AS told,
    startsWith(SpanAttributes['http.response.status_code'], '4')
        OR SpanAttributes['rpc.response.status_code'] IN (
            'CANCELLED', 'INVALID_ARGUMENT', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED',
            'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNAUTHENTICATED'
        ) AS mistaken
SELECT
    now() AS Inserted,
    TraceId,
    SpanId,
    parent.1.1 AS CallerTraceId,
    parent.1.2 AS CallerSpanId,
    toUInt32(parent.2 - 1) AS Place,
    told AS Told,
    ServiceName AS Service,
    ResourceAttributes['service.version'] AS Version,
    ResourceAttributes['service.instance.id'] AS Instance,
    SpanKind AS Kind,
    multiIf(
        SpanAttributes['http.route'] != '', SpanAttributes['http.route'],
        SpanAttributes['rpc.method'] != '', SpanAttributes['rpc.method'],
        SpanAttributes['messaging.destination.name']
    ) AS Route,
    toDateTime(toStartOfInterval(Timestamp, INTERVAL 10 SECOND)) AS Bucket,
    Duration,
    StatusCode = 'Error' AND NOT mistaken AS Failed
FROM otel.mesh_unkept
WHERE SpanAttributes['mesh.destination.service'] = '' AND NOT startsWith(ScopeName, 'whymesh.') AND TraceId != ''
