-- Traces that somebody wants to keep.
CREATE TABLE IF NOT EXISTS otel.mesh_pins
(
    TraceId String,
    By String,
    Because String,
    Time DateTime64(3)
)
ENGINE = ReplacingMergeTree(Time)
ORDER BY TraceId
