-- What people said of an alarm, as JSON: who looks after it ({"time", "by", "text"}, empty for nobody), and notes.
ALTER TABLE otel.mesh_alarms
    ADD COLUMN IF NOT EXISTS Acknowledged String,
    ADD COLUMN IF NOT EXISTS Notes String
