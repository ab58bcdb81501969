"""When an incident opens, goes on and is over: a pure state machine, one incident for one root cause.

In: after each evaluation the time, and everyone blamed, best first. Out: what happened to which incident.
It opens when the same culprit is first in two evaluations running, at once when the signal is strong. Beside another
incident, or behind another culprit, it takes more of them, for the edges of one fault blur the picture of the next. It
is over when the culprit was not blamed for a while. When that culprit is soon blamed again, the same incident is
reopened, and each time it takes twice as long until it is over: a fault that comes and goes is one that lasts. An
evaluation without enough data changes nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum

OPEN_AFTER = 2
OPEN_BESIDE_ANOTHER_AFTER = 4
HEALED_AFTER_S = 25.0
LONGEST_CALM_S = 300.0
"""No incident has to be calm for longer, however often it came back."""
REOPENED_WITHIN_S = 300.0
"""After its end an incident may be reopened for so long."""


class Step(Enum):
    OPENED = "opened"
    REOPENED = "reopened"
    UPDATED = "updated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Incident:
    """One that is open, or was lately: since when it goes on, when its culprit was last blamed and when it ended (Unix
    seconds); how often it was reopened."""

    id: str
    culprit: str
    opened_at: float
    blamed_at: float
    ended_at: float | None = None
    relapses: int = 0

    @property
    def healed_after_s(self) -> float:
        """How long its culprit must not be blamed until it is over."""
        return float(min(LONGEST_CALM_S, HEALED_AFTER_S * 2 ** min(self.relapses, 16)))


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
    """All open incidents, those that may be reopened, and the suspicions that may become the next."""

    def __init__(self, known: Iterable[Incident] = ()) -> None:
        """`known` were open when an earlier run stopped, or ended before."""
        known = sorted(known, key=lambda incident: incident.opened_at)
        self._open = {incident.culprit: incident for incident in known if incident.ended_at is None}
        self._ended = {incident.culprit: incident for incident in known if incident.ended_at is not None}
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
                events.append(self._begins(culprit, now, new_id))
        return events + self._resolve(now)

    def _begins(self, culprit: str, now: float, new_id: Callable[[], str]) -> Event:
        last = self._ended.pop(culprit, None)
        if last is None or last.ended_at is None or now - last.ended_at > REOPENED_WITHIN_S:
            self._open[culprit] = Incident(new_id(), culprit, now, now)
            return Event(Step.OPENED, self._open[culprit])
        self._open[culprit] = replace(last, opened_at=now, blamed_at=now, ended_at=None, relapses=last.relapses + 1)
        return Event(Step.REOPENED, self._open[culprit])

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
        healed = [incident for incident in self.open if now - incident.blamed_at >= incident.healed_after_s]
        for incident in healed:
            del self._open[incident.culprit]
            self._ended[incident.culprit] = replace(incident, ended_at=now)
        return [Event(Step.RESOLVED, incident) for incident in healed]
