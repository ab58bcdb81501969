-- One row per incident and state it went through; the newest UpdatedAt of an Id is what holds (read with FINAL).
-- Finding: the whole proof sheet as JSON (rootcause/finding.py).
CREATE TABLE IF NOT EXISTS otel.mesh_incidents
(
    Id String,
    State LowCardinality(String),
    OpenedAt DateTime64(3),
    ResolvedAt Nullable(DateTime64(3)),
    UpdatedAt DateTime64(3),
    Title String,
    Signal LowCardinality(String),
    Service LowCardinality(String),
    Version LowCardinality(String),
    Instance LowCardinality(String),
    Route LowCardinality(String),
    Link String,
    Confidence Float64,
    Finding String
)
ENGINE = ReplacingMergeTree(UpdatedAt)
ORDER BY Id
