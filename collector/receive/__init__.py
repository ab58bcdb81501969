"""SENDER -> REQUEST: the doors that take telemetry, who may use them and how much."""
