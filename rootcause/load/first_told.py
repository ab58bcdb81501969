"""SQL for what several attributes may tell, as the readers of telemetry that the mesh did not make want it.

In: names of attributes, best first. Out: expressions over a row of `otel_traces`, or of a table of metrics.
"""

from __future__ import annotations

from collections.abc import Iterable

from rootcause.load.spans import INSTANCE_ATTRIBUTES, PEER_ATTRIBUTES
from rootcause.load.traits import NODE_KEYS


def first_told(column: str, names: Iterable[str]) -> str:
    """What the first of these says that says anything; else nothing."""
    each = (f"nullIf({column}['{name}'], '')" for name in names)
    return f"coalesce({', '.join(each)}, '')"


PEER = first_told("SpanAttributes", PEER_ATTRIBUTES)
INSTANCE = first_told("ResourceAttributes", INSTANCE_ATTRIBUTES)
NODE = first_told("ResourceAttributes", NODE_KEYS)
