"""When an incident opens, goes on and is over: a pure state machine, one incident for one root cause.

In: after each evaluation the time, who is blamed first, and everyone blamed. Out: what happened to which incident.
It opens when the same culprit is first in two evaluations running, at once when the signal is strong, and only after
more of them while another incident is open, for its edges blur the picture. It is over when the culprit was not blamed
for a while. An evaluation without enough data changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

OPEN_AFTER = 2
OPEN_AFTER_BESIDE_ANOTHER = 4
HEALED_AFTER_S = 25.0


class Step(Enum):
    OPENED = "opened"
    UPDATED = "updated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Incident:
    """One that is open: since when, and when its culprit was last blamed (Unix seconds)."""

    id: str
    culprit: str
    opened_at: float
    blamed_at: float


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to an incident."""

    step: Step
    incident: Incident


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A culprit that was first in `times` evaluations running, the first of them at `since`."""

    culprit: str
    since: float
    times: int


class Lifecycle:
    """All open incidents, and the one suspicion that may become the next."""

    def __init__(self, already_open: Iterable[Incident] = ()) -> None:
        self._open = {incident.culprit: incident for incident in already_open}
        self.suspicion: Suspicion | None = None

    @property
    def open(self) -> tuple[Incident, ...]:
        """Open incidents, the oldest first."""
        return tuple(sorted(self._open.values(), key=lambda incident: incident.opened_at))

    def judge(self, now: float, blamed: tuple[str, ...], *, strong: bool, new_id: str) -> list[Event]:
        """One evaluation with enough data: `blamed` best first, empty when nothing is wrong."""
        events = [event for culprit in blamed if (event := self._goes_on(culprit, now)) is not None]
        first = blamed[0] if blamed else None
        if first is None or first in self._open:
            self.suspicion = None
        elif self._opens(first, now, strong=strong):
            incident = self._open[first] = Incident(new_id, first, now, now)
            events.append(Event(Step.OPENED, incident))
            self.suspicion = None
        return events + self._resolve(now)

    def _goes_on(self, culprit: str, now: float) -> Event | None:
        if culprit not in self._open:
            return None
        incident = self._open[culprit] = replace(self._open[culprit], blamed_at=now)
        return Event(Step.UPDATED, incident)

    def _opens(self, culprit: str, now: float, *, strong: bool) -> bool:
        held = self.suspicion
        if held is None or held.culprit != culprit:
            held = Suspicion(culprit, now, 0)
        self.suspicion = held = replace(held, times=held.times + 1)
        if self._open:
            return held.times >= OPEN_AFTER_BESIDE_ANOTHER
        return strong or held.times >= OPEN_AFTER

    def _resolve(self, now: float) -> list[Event]:
        healed = [incident for incident in self.open if now - incident.blamed_at >= HEALED_AFTER_S]
        for incident in healed:
            del self._open[incident.culprit]
        return [Event(Step.RESOLVED, incident) for incident in healed]
