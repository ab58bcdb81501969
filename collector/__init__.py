"""SPAN -> CLICKHOUSE: receives OTLP and stores it."""
