-- What proxies counted against what was stored, by edge and 10 s: Captured / Counted is the share of requests that have a span.
-- Counted comes from the proxy of the destination (metric mesh.requests); an edge without such counts has Counted = 0.
CREATE VIEW IF NOT EXISTS otel.mesh_captured AS
SELECT Bucket, Source, Destination, sum(Told) AS Counted, sum(Seen) AS Captured
FROM
(
    SELECT
        toStartOfInterval(toDateTime(TimeUnix) - 1, INTERVAL 10 SECOND) AS Bucket,
        Attributes['mesh.source.service'] AS Source,
        Attributes['mesh.destination.service'] AS Destination,
        toUInt64(Value) AS Told,
        toUInt64(0) AS Seen
    FROM otel.otel_metrics_sum
    WHERE MetricName = 'mesh.requests'
    UNION ALL
    SELECT Bucket, Source, Destination, 0 AS Told, Calls AS Seen
    FROM otel.mesh_edges
    WHERE Reporter = 'destination'
)
GROUP BY Bucket, Source, Destination
