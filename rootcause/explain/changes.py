"""Weighs what was changed before an incident, by time and reach. A change is mentioned, and weighs between suspects,
but nobody is blamed because it happened."""

from collections.abc import Iterable
from datetime import timedelta

from rootcause.load.changes import Change

TOGETHER = timedelta(minutes=2)
"""Changes of a service within this time are one, told in several steps."""
_BY_PEOPLE = {"rollout", "config"}


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
