"""What was changed before an incident: read from the store, and weighed by time and reach. A change is mentioned, and
weighs between suspects, but nobody is blamed because it happened; certificates renewed as usual and what is recorded
are not even mentioned."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from collector.store.client import Reader
from rootcause.explain.finding import Change

LOOK_BACK_S = 600.0
"""A change longer before the onset than this is not mentioned."""

TOGETHER = timedelta(minutes=2)
"""Changes of a service within this time are one, told in several steps."""
_BY_PEOPLE = {"rollout", "config"}
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


def changed(changes: Iterable[Change]) -> frozenset[str]:
    """Services that somebody changed; what the mesh did by itself, instances coming and going, may be an effect."""
    return frozenset(change.service for change in changes if change.kind in _BY_PEOPLE) - {""}


def preceding(changes: Iterable[Change], service: str) -> Change | None:
    """The newest change of `service`, else the newest that names no service (it reached everyone). A new version comes
    before the routes that bring requests to it."""
    newest = sorted(changes, key=lambda change: change.time, reverse=True)
    for reached in (service, ""):
        found = [change for change in newest if change.service == reached]
        if found:
            together = [change for change in found if found[0].time - change.time <= TOGETHER]
            return next((change for change in together if change.kind == "rollout"), found[0])
    return None
