-- Services of whose incidents nobody is told until a time; the newest Time of a Service is what holds (read with FINAL).
-- Service: a name, or * for all.
CREATE TABLE IF NOT EXISTS otel.mesh_silences
(
    Service LowCardinality(String),
    Until DateTime64(3),
    By String,
    Because String,
    Time DateTime64(3)
)
ENGINE = ReplacingMergeTree(Time)
ORDER BY Service
