-- One row per alarm and state it went through; the newest UpdatedAt of an Id is what holds (read with FINAL).
-- Kind: 'objective' (Value: how many times faster than allowed its budget burns) or 'rule'. Sql shows the figure.
CREATE TABLE IF NOT EXISTS otel.mesh_alarms
(
    Id String,
    Kind LowCardinality(String),
    Rule String,
    Service LowCardinality(String),
    Severity LowCardinality(String),
    State LowCardinality(String),
    OpenedAt DateTime64(3),
    UpdatedAt DateTime64(3),
    ResolvedAt Nullable(DateTime64(3)),
    Title String,
    Why String,
    Value Float64,
    Limit Float64,
    Sql String
)
ENGINE = ReplacingMergeTree(UpdatedAt)
ORDER BY Id
