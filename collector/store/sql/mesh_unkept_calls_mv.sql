CREATE MATERIALIZED VIEW IF NOT EXISTS otel.mesh_unkept_calls_mv TO otel.mesh_unkept_calls AS
SELECT
    toDateTime(toStartOfInterval(Timestamp, INTERVAL 10 SECOND)) AS Bucket,
    SpanAttributes['mesh.source.service'] AS Source,
    SpanAttributes['mesh.destination.service'] AS Destination,
    count() AS Calls
FROM otel.mesh_unkept
WHERE SpanKind = 'Server' AND SpanAttributes['mesh.destination.service'] != '' AND SpanAttributes['mesh.sent_bytes'] = ''
GROUP BY Bucket, Source, Destination
