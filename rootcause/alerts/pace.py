"""How many messages a target is sent: a few at once, and so many a minute for ever. Pure: the time is passed in."""

from __future__ import annotations

BURST = 5
"""Messages that go out one after the other before the pace holds, unless fewer are allowed in a minute."""


class Pace:
    """Tokens that come back evenly; `now` is any clock in seconds that only goes on."""

    def __init__(self, per_minute: float, now: float) -> None:
        self._per_s = per_minute / 60
        self._most = min(float(BURST), per_minute)
        self._tokens = self._most
        self._at = now

    def wait_s(self, now: float) -> float:
        """Takes a token, and says in how many seconds its message may go out."""
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._per_s) - 1
        self._at = now
        return max(0.0, -self._tokens / self._per_s)
