"""When an incident opens, goes on and is over: a pure state machine, one incident for one root cause.

In: after each evaluation the time, and everyone blamed, best first. Out: what happened to which incident.
It opens when the same culprit is first in two evaluations running, at once when the signal is strong. Beside another
incident, or behind another culprit, it takes more of them, for the edges of one fault blur the picture of the next. It
is over when the culprit was not blamed for a while. An evaluation without enough data changes nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum

OPEN_AFTER = 2
OPEN_BESIDE_ANOTHER_AFTER = 4
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
    """How many evaluations running a culprit was blamed, and was the first to be."""

    blamed: int = 0
    first: int = 0


class Lifecycle:
    """All open incidents, and the suspicions that may become the next."""

    def __init__(self, already_open: Iterable[Incident] = ()) -> None:
        self._open = {incident.culprit: incident for incident in already_open}
        self._suspicions: dict[str, Suspicion] = {}

    @property
    def open(self) -> tuple[Incident, ...]:
        """Open incidents, the oldest first."""
        return tuple(sorted(self._open.values(), key=lambda incident: incident.opened_at))

    @property
    def busy(self) -> bool:
        """Whether anything is open or suspected."""
        return bool(self._open or self._suspicions)

    def judge(self, now: float, blamed: tuple[str, ...], *, strong: bool, new_id: Callable[[], str]) -> list[Event]:
        """One evaluation with enough data: `blamed` best first, empty when nothing is wrong; `strong` holds for the
        first."""
        events = [event for culprit in blamed if (event := self._goes_on(culprit, now)) is not None]
        self._suspicions = {
            culprit: self._suspected(culprit, first=culprit == blamed[0])
            for culprit in blamed
            if culprit not in self._open
        }
        for culprit, suspicion in list(self._suspicions.items()):
            if self._opens(suspicion, strong=strong):
                del self._suspicions[culprit]
                incident = self._open[culprit] = Incident(new_id(), culprit, now, now)
                events.append(Event(Step.OPENED, incident))
        return events + self._resolve(now)

    def _goes_on(self, culprit: str, now: float) -> Event | None:
        if culprit not in self._open:
            return None
        incident = self._open[culprit] = replace(self._open[culprit], blamed_at=now)
        return Event(Step.UPDATED, incident)

    def _suspected(self, culprit: str, *, first: bool) -> Suspicion:
        held = self._suspicions.get(culprit, Suspicion())
        return Suspicion(held.blamed + 1, held.first + 1 if first else 0)

    def _opens(self, suspicion: Suspicion, *, strong: bool) -> bool:
        if suspicion.blamed >= OPEN_BESIDE_ANOTHER_AFTER:
            return True
        alone = suspicion.first > 0 and not self._open
        return alone and (strong or suspicion.first >= OPEN_AFTER)

    def _resolve(self, now: float) -> list[Event]:
        healed = [incident for incident in self.open if now - incident.blamed_at >= HEALED_AFTER_S]
        for incident in healed:
            del self._open[incident.culprit]
        return [Event(Step.RESOLVED, incident) for incident in healed]
