-- How calls were protected and what policies said of them: one row per minute, edge, caller's identity and verdict.
-- Tls: 'mutual' = encrypted, both ends proved; 'plaintext' = encryption was looked for and not there; '' = not looked for.
-- Reason: why the call was turned away for who made it, '' = it was not; Audit: why it would have been. Rule: of a policy,
-- the one that denied the call or came nearest to allowing it, and what it Missed. Trace: an example.
CREATE TABLE IF NOT EXISTS otel.mesh_security
(
    Bucket DateTime CODEC(DoubleDelta, ZSTD(1)),
    Source LowCardinality(String),
    Destination LowCardinality(String),
    Identity LowCardinality(String),
    Tls LowCardinality(String),
    Reason LowCardinality(String),
    Audit LowCardinality(String),
    Rule LowCardinality(String),
    Calls SimpleAggregateFunction(sum, UInt64),
    Missed SimpleAggregateFunction(anyLast, String),
    Trace SimpleAggregateFunction(anyLast, String)
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(Bucket)
ORDER BY (Bucket, Destination, Source, Identity, Tls, Reason, Audit, Rule)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 1000
