"""Whether a shift is the hour's: the same time of most other days strays from today's recent normal by as much.

In: one figure (a mean, a rate) by bucket, as weights and totals, of recent time, of now, and of the same time on other
days. Never: a verdict of one day, which may have had an incident of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

FEWEST_DAYS = 2
FEWEST_MINUTES = 3
FEWEST = 5.0
"""Less weight than this (calls, say) tells nothing of a day."""
_MOST_OF_IT = 2 / 3
"""What is left of a shift is within what one day differs from another."""

Series = Mapping[float, tuple[float, float]]
"""By bucket: the weight, and the total that it makes a mean of."""


def of_the_hour(recent: Series, now: Series, days: Iterable[Series]) -> bool:
    """Whether on most of the days that are known the hour explains most of the shift between `recent` and `now`."""
    usual, seen = _mean(recent), _mean(now)
    if usual is None or seen is None or seen == usual:
        return False
    known = [day for day in days if len(day) >= FEWEST_MINUTES and _weight(day) >= FEWEST]
    explained = [(_reached(day, most=seen > usual) - usual) / (seen - usual) for day in known]
    alike = sum(share >= _MOST_OF_IT for share in explained)
    return len(known) >= FEWEST_DAYS and 2 * alike > len(known)


def _reached(day: Series, *, most: bool) -> float:
    """What half of its minutes reach: a peak may have begun in the midst of them."""
    ordered = sorted((point for point in day.values() if point[0]), key=lambda point: point[1] / point[0], reverse=most)
    half = ordered[: (len(ordered) + 1) // 2]
    return sum(total for _, total in half) / sum(weight for weight, _ in half)


def _mean(series: Series) -> float | None:
    weight = _weight(series)
    return sum(total for _, total in series.values()) / weight if weight else None


def _weight(series: Series) -> float:
    return sum(weight for weight, _ in series.values())
