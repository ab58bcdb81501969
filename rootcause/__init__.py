"""CLICKHOUSE -> FINDING -> ALERT: detects what degraded and says which part did it."""
