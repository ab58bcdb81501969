"""Of whose incidents nobody is told for a while: planned work, a known trouble.

In: silences, a culprit, the time. Out: whether to hold a message back. Pure. Incidents open, are explained and stored
all the same; whoever was not told of one is told when the silence ends and it is still open.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, ConfigDict

EVERYBODY = "*"


class Silence(BaseModel):
    """One silence; `service` may be "*". It is over when `until` is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    until: datetime
    by: str
    because: str


class Silences:
    """The newest silence of each service."""

    def __init__(self, known: Iterable[Silence] = ()) -> None:
        self._by_service = {silence.service: silence for silence in known}

    def put(self, silence: Silence) -> None:
        """Takes the place of an earlier one of the service."""
        self._by_service[silence.service] = silence

    def in_force(self, now: datetime) -> list[Silence]:
        """Those that are not over, the first to end first."""
        return sorted((s for s in self._by_service.values() if s.until > now), key=lambda silence: silence.until)

    def cover(self, service: str, now: datetime) -> bool:
        """Whether nobody is told of what the service causes."""
        return any(silence.service in (service, EVERYBODY) for silence in self.in_force(now))
