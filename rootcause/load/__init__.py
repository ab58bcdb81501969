"""CLICKHOUSE AND RECORDINGS -> WINDOW: reads what was seen in a stretch of time, whoever recorded it."""
