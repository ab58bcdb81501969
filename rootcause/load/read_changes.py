"""Reads what was changed before a moment. In: an open Reader, a time. Out: Changes.

Certificates renewed as usual and what is recorded are no changes that could do harm.
"""

from datetime import UTC, datetime

from collector.store.client import Reader
from rootcause.load.changes import LOOK_BACK_S, Change

_CHANGES = """
SELECT Time, Kind, Service, Summary FROM otel.mesh_changes
WHERE Time >= %(start)s AND Time <= %(end)s AND Kind NOT IN ('certificate', 'recording') ORDER BY Time DESC LIMIT 200
"""


def read_changes(reader: Reader, onset: float) -> list[Change]:
    """Changes up to `onset` (Unix seconds), newest first. Raises StoreUnavailable, QueryFailed."""
    params = {
        "start": datetime.fromtimestamp(onset - LOOK_BACK_S, UTC),
        "end": datetime.fromtimestamp(onset, UTC),
    }
    return [
        Change(time=row["Time"], kind=row["Kind"], service=row["Service"], summary=row["Summary"])
        for row in reader.rows(_CHANGES, params)
    ]
