-- Every notification and what became of it.
CREATE TABLE IF NOT EXISTS otel.mesh_alerts
(
    Time DateTime64(3),
    IncidentId String,
    Event LowCardinality(String),
    Target String,
    Delivered UInt8,
    Attempts UInt32,
    Error String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(Time)
ORDER BY (Time, IncidentId)
