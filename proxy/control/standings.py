"""How far each proxy is: what it has to serve, what it says it serves, and when it was last heard of.

In: connections, acknowledgements, the time. Out: who is behind, since when and why. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

_NEVER = datetime.min.replace(tzinfo=UTC)
Where = Literal["current", "waiting", "refused", "away", "unknown"]


@dataclass(frozen=True)
class Acknowledgement:
    """What one proxy said of the last snapshot it got."""

    epoch: int
    accepted: bool
    reason: str = ""
    problems: tuple[str, ...] = ()
    """Of what it serves: sentences."""


@dataclass
class Standing:
    """One proxy, as one control plane sees it."""

    connections: int = 0
    seen: datetime | None = None
    """When it was last heard of; while it is connected that is now."""
    served: int | None = None
    said: Acknowledgement | None = None

    def told(self, said: Acknowledgement, now: datetime) -> None:
        """Takes in what the proxy said."""
        self.said, self.seen = said, now
        if said.accepted:
            self.served = said.epoch

    def or_rather(self, other: Standing | None) -> Standing:
        """Which of two control planes knows more of a proxy: the one it is connected to, or was last."""
        if other is None:
            return self
        if bool(self.connections) != bool(other.connections):
            return self if self.connections else other
        return self if (self.seen or _NEVER) >= (other.seen or _NEVER) else other


@dataclass(frozen=True)
class Told:
    """Where a proxy is, in a word and in a sentence; `since` when it is not where it should be."""

    state: Where
    why: str
    since: datetime | None


def told_of(standing: Standing | None, due: int, due_since: datetime) -> Told:
    """Holds what a proxy serves against what it has to serve."""
    if standing is None or standing.seen is None:
        return Told("unknown", "has not connected since this control plane started", due_since)
    serves = f"serves epoch {standing.served}" if standing.served else "has not said what it serves"
    said = standing.said
    if said is not None and not said.accepted and said.epoch == due:
        return Told("refused", f"refused epoch {due}, {serves}: {said.reason}", due_since)
    if not standing.connections:
        return Told("away", f"is not connected; {serves}", standing.seen)
    if standing.served == due:
        return Told("current", serves, None)
    return Told("waiting", f"was told of epoch {due}, {serves}", due_since)
