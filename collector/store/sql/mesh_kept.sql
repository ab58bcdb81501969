-- Traces that thinning leaves whole, and why: failed, incident, pinned, slow or rare. What is not here is ordinary: of
-- those a sample stays, its spans with the attribute mesh.adjusted_count.
CREATE TABLE IF NOT EXISTS otel.mesh_kept
(
    Day Date,
    TraceId String CODEC(ZSTD(1)),
    Reason LowCardinality(String)
)
ENGINE = MergeTree
PARTITION BY Day
ORDER BY TraceId
