-- Spans with what called them, batch by batch; those that still wait for it are looked at again in the next one.
CREATE TABLE IF NOT EXISTS otel.mesh_pairs
(
    Batch UInt64,
    Waiting Bool,
    Entry Bool,
    End Tuple(
        Inserted DateTime, CallerTraceId String, CallerSpanId String, Service String, Version String, Instance String,
        Kind String, Route String, Bucket DateTime, Duration UInt64, Failed Bool
    ),
    Caller Tuple(
        Service String, Version String, Instance String, Kind String, Bucket DateTime, Duration UInt64, Failed Bool
    )
)
ENGINE = MergeTree
PARTITION BY Batch
ORDER BY tuple()
