-- Spans that do not say whom they call: what pairing needs of them, for 40 minutes from when they were stored.
-- A consumer is there once for each producer it links to (Place), every other span once. Told: a proxy of the mesh saw
-- this request come in and has told of it.
CREATE TABLE IF NOT EXISTS otel.mesh_ends
(
    Inserted DateTime,
    TraceId String,
    SpanId String,
    CallerTraceId String,
    CallerSpanId String,
    Place UInt32,
    Told Bool,
    Service LowCardinality(String),
    Version LowCardinality(String),
    Instance LowCardinality(String),
    Kind LowCardinality(String),
    Route LowCardinality(String),
    Bucket DateTime,
    Duration UInt64,
    Failed Bool
)
ENGINE = MergeTree
PARTITION BY toStartOfInterval(Inserted, INTERVAL 10 MINUTE)
ORDER BY (TraceId, SpanId)
TTL Inserted + INTERVAL 40 MINUTE
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
