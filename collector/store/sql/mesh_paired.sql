-- The last batch of mesh_pairs that is whole; Until: spans stored up to then are in it or one before.
CREATE TABLE IF NOT EXISTS otel.mesh_paired
(
    Batch UInt64,
    Until DateTime
)
ENGINE = ReplacingMergeTree(Batch)
ORDER BY tuple()
