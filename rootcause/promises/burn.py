"""How fast the budget of an objective burns, and whether that is worth waking somebody.

In: counts of a short and a long time. Out: a verdict. Pure.
Both have to burn: the long one says that it matters, the short one that it still goes on. Source: "The Site Reliability
Workbook", ch. 5, "Multiwindow, Multi-Burn-Rate Alerts": 2, 5 and 10 % of a thirty days' budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from rootcause.detect.chance import log_binomial
from rootcause.promises.alarms import Severity

_UNLIKELY = log(1e-4)
"""Few requests prove little: what is bad has to be rarer than this by chance if the budget just held."""
_LEAST_KNOWN = 0.5
"""The part of the long time that has to be known: minutes of traffic do not make an hour."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A speed of burning: `factor` times what thirty days would allow, over `long_s` and still over `short_s`."""

    long_s: int
    short_s: int
    factor: float
    severity: Severity


PACES = (
    Pace(3_600, 300, 14.4, "critical"),
    Pace(6 * 3_600, 1_800, 6.0, "critical"),
    Pace(3 * 86_400, 6 * 3_600, 1.0, "warning"),
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests and bad ones among them in a stretch of time, of which `known_s` seconds have passed since the first."""

    calls: int
    bad: int
    known_s: float

    @property
    def share(self) -> float:
        return self.bad / self.calls if self.calls else 0.0


def burns(counts: Counts, budget: float, factor: float) -> bool:
    """Whether it burns at least so fast, and not by chance."""
    fast = counts.share >= factor * budget
    return fast and log_binomial(counts.bad, counts.calls, budget) <= _UNLIKELY


def known(counts: Counts, pace: Pace) -> bool:
    """Whether enough of the long time is known to judge it."""
    return counts.known_s >= _LEAST_KNOWN * pace.long_s
