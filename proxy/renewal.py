"""When a proxy asks for its next certificate.

In: what was granted, what failed, the time. Out: when to ask again. Pure: times are seconds of a clock that never jumps
and goes on while the machine sleeps, so that a wrong clock on the wall renews neither too early nor too late.
Never: a reason to give up a certificate that is still valid.
"""

from __future__ import annotations

import random
from collections.abc import Callable

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_HURRY_S = 3.0
"""Within so long everybody renews when another root signs: not all at once."""


def dice(low: float, high: float) -> float:
    """Spreads what many proxies do."""
    return random.uniform(low, high)  # noqa: S311  (jitter is not a secret)


class Renewal:
    """The certificate of one service; `due` is now until there is one."""

    def __init__(self, now: float, roll: Callable[[float, float], float] = dice) -> None:
        self._roll = roll
        self._pause_s = _FIRST_PAUSE_S
        self.due, self.ends = now, now
        self.failures = 0
        """Since the last certificate."""

    def granted(self, now: float, renew_in_s: float, lasts_s: float) -> None:
        """A certificate came; the authority says when to renew it: up to a tenth of that earlier, by chance."""
        self.ends = now + lasts_s
        self.due = now + renew_in_s * self._roll(0.9, 1.0)
        self._pause_s, self.failures = _FIRST_PAUSE_S, 0

    def failed(self, now: float) -> None:
        """None came: again after a pause that grows, but for a third of what is left at most."""
        self.failures += 1
        left_s = self.ends - now
        pause_s = min(self._pause_s, max(left_s / 3, _FIRST_PAUSE_S)) if left_s > 0 else self._pause_s
        self.due = now + pause_s * self._roll(0.7, 1.0)
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    def hurry(self, now: float) -> None:
        """Another root signs now: renew soon."""
        self.due = min(self.due, now + self._roll(0.0, _HURRY_S))

    def valid(self, now: float) -> bool:
        """Whether there is a certificate that has not ended."""
        return now < self.ends


def clock_offset(said: float, asked: float, answered: float) -> tuple[float, float]:
    """How far this machine's clock is ahead of another's, in seconds, and how far that may be wrong.

    `said` is the other's time, somewhere between `asked` and `answered` of ours (as in RFC 5905, 8).
    """
    return (asked + answered) / 2 - said, (answered - asked) / 2
