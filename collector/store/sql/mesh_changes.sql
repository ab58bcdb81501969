-- What was changed in the mesh, when and by whom: every config epoch, rollout and scale event.
CREATE TABLE IF NOT EXISTS otel.mesh_changes
(
    Time DateTime64(3),
    Kind LowCardinality(String),
    Service LowCardinality(String),
    Instance LowCardinality(String),
    Before String,
    After String,
    Epoch UInt64,
    Actor LowCardinality(String),
    Summary String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(Time)
ORDER BY (Time, Service)
SETTINGS non_replicated_deduplication_window = 1000
