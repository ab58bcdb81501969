-- Days that were thinned, up to which block of otel_traces: what comes later for such a day is thinned once more.
CREATE TABLE IF NOT EXISTS otel.mesh_thinned
(
    Day Date,
    Block Int64,
    Before UInt64,
    After UInt64,
    Time DateTime64(3) DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(Time)
ORDER BY Day
