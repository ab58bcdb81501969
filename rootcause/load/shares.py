"""Which metrics tell how full something is, by the suffixes of OpenTelemetry and Prometheus.

In: names of metrics. Out: the resource, and the value that means full. Never: of hosts, which others fill as well.
"""

from __future__ import annotations

import re
from functools import cache

_SHARE = re.compile(r"(?:\w+_)?(cpu|mem)(?:ory)?(?:_\w+)?_(percent|ratio|utilization)")
_OF_THE_HOST = ("node_", "host_", "machine_", "system_")


@cache
def share_of(metric: str) -> tuple[str, float] | None:
    """What a metric tells the fullness of (`cpu`, `memory`), and its value when that is full; None of any other."""
    name = metric.replace(".", "_")
    found = _SHARE.fullmatch(name)
    if found is None or name.startswith(_OF_THE_HOST):
        return None
    return {"cpu": "cpu", "mem": "memory"}[found[1]], 100.0 if found[2] == "percent" else 1.0
