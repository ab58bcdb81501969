-- Calls whose spans tail sampling left out, by edge and 10 s, from the callee's view: mesh_edges counts them, too.
CREATE TABLE IF NOT EXISTS otel.mesh_unkept_calls
(
    Bucket DateTime CODEC(DoubleDelta, ZSTD(1)),
    Source LowCardinality(String),
    Destination LowCardinality(String),
    Calls SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(Bucket)
ORDER BY (Bucket, Destination, Source)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
