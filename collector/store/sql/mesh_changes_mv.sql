-- The control plane reports a change as a span named mesh.change.
CREATE MATERIALIZED VIEW IF NOT EXISTS otel.mesh_changes_mv TO otel.mesh_changes AS
SELECT
    toDateTime64(Timestamp, 3) AS Time,
    SpanAttributes['mesh.change.kind'] AS Kind,
    SpanAttributes['mesh.change.service'] AS Service,
    SpanAttributes['mesh.change.instance'] AS Instance,
    SpanAttributes['mesh.change.before'] AS Before,
    SpanAttributes['mesh.change.after'] AS After,
    toUInt64OrZero(SpanAttributes['mesh.epoch']) AS Epoch,
    SpanAttributes['mesh.change.actor'] AS Actor,
    SpanAttributes['mesh.change.summary'] AS Summary
FROM otel.otel_traces
WHERE SpanName = 'mesh.change'
