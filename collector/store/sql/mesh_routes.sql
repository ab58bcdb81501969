-- What each service did with the requests it received: one row per 10 s, service, version, instance and route.
-- Entry 1 = the request came from outside the mesh. OwnSum: time in nanoseconds not spent waiting for a call of its own
-- (OwnCalls: how many requests carried that figure). OwnErrors: failures that no failed call of its own explains.
-- by_minute: what services did over hours, as mesh_edges has it for its edges.
CREATE TABLE IF NOT EXISTS otel.mesh_routes
(
    Bucket DateTime CODEC(DoubleDelta, ZSTD(1)),
    Service LowCardinality(String),
    Version LowCardinality(String),
    Instance LowCardinality(String),
    Route LowCardinality(String),
    Method LowCardinality(String),
    Entry UInt8,
    Calls SimpleAggregateFunction(sum, UInt64),
    Errors SimpleAggregateFunction(sum, UInt64),
    OwnErrors SimpleAggregateFunction(sum, UInt64),
    Children SimpleAggregateFunction(sum, UInt64),
    DurationSum SimpleAggregateFunction(sum, UInt64),
    OwnSum SimpleAggregateFunction(sum, UInt64),
    OwnCalls SimpleAggregateFunction(sum, UInt64),
    Durations AggregateFunction(quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99), UInt64),
    OwnDurations AggregateFunction(quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99), UInt64),
    Reasons SimpleAggregateFunction(sumMap, Map(String, UInt64)),
    SlowTrace AggregateFunction(argMax, String, UInt64),
    ErrorTrace SimpleAggregateFunction(max, String),
    PROJECTION by_minute
    (
        SELECT
            toStartOfMinute(Bucket),
            Service,
            Entry,
            sum(Calls),
            sum(Errors),
            sum(DurationSum),
            sum(OwnSum),
            sum(OwnCalls),
            quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)(Durations),
            groupUniqArray(Version),
            min(Bucket)
        GROUP BY toStartOfMinute(Bucket), Service, Entry
    )
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(Bucket)
ORDER BY (Bucket, Service, Version, Instance, Route, Method, Entry)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000, deduplicate_merge_projection_mode = 'rebuild'
