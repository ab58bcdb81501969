-- Who called whom, how often, how well: one row per 10 s, edge, pair of instances, route and side that saw it.
-- Reporter: 'source' = the caller's client span, 'destination' = the callee's server span; the gap between both is the link.
-- Source '' = traffic from outside the mesh. Durations in nanoseconds, connect time in microseconds.
-- Errors: 5xx, or no answer at all. MeshErrors: those of them that a proxy answered itself (mesh.reason).
-- by_minute: the service graph of hours, whatever the instances and routes. A query that bounds toStartOfMinute(Bucket)
-- instead of Bucket, and groups by and adds up no more than this, is answered from it.
CREATE TABLE IF NOT EXISTS otel.mesh_edges
(
    Bucket DateTime CODEC(DoubleDelta, ZSTD(1)),
    Reporter LowCardinality(String),
    Source LowCardinality(String),
    SourceVersion LowCardinality(String),
    SourceInstance LowCardinality(String),
    Destination LowCardinality(String),
    DestinationVersion LowCardinality(String),
    DestinationInstance LowCardinality(String),
    Route LowCardinality(String),
    Calls SimpleAggregateFunction(sum, UInt64),
    Errors SimpleAggregateFunction(sum, UInt64),
    MeshErrors SimpleAggregateFunction(sum, UInt64),
    DurationSum SimpleAggregateFunction(sum, UInt64),
    ConnectSum SimpleAggregateFunction(sum, UInt64),
    Durations AggregateFunction(quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99), UInt64),
    Reasons SimpleAggregateFunction(sumMap, Map(String, UInt64)),
    SlowTrace AggregateFunction(argMax, String, UInt64),
    ErrorTrace SimpleAggregateFunction(max, String),
    PROJECTION by_minute
    (
        SELECT
            toStartOfMinute(Bucket),
            Source,
            Destination,
            Reporter,
            sum(Calls),
            sum(Errors),
            sum(MeshErrors),
            sum(DurationSum),
            quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)(Durations)
        GROUP BY toStartOfMinute(Bucket), Source, Destination, Reporter
    )
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(Bucket)
ORDER BY (Bucket, Destination, Source, Reporter, DestinationVersion, DestinationInstance, SourceVersion, SourceInstance, Route)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, deduplicate_merge_projection_mode = 'rebuild'
