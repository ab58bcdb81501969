"""Fills the gaps of recorded series from what stands next to them: a value, or a whole row, that is not there was not
recorded, and is no zero.

In: rows of one window, in any order. Out: the same rows with their values, as far as their series tells any; and which
steps stand in for one that lacks a row.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rootcause.load.edge_rows import EdgeRow

REACH = 2
"""Steps. Whoever is gone for longer may really be gone."""


def told(rows: Iterable[EdgeRow]) -> list[EdgeRow]:
    """Every row with an error rate and a latency: what it does not tell is as in the rows of its series next to it."""
    series: dict[tuple[str, str, bool, str], list[EdgeRow]] = defaultdict(list)
    for row in rows:
        series[row.source, row.destination, row.by_source, row.instance].append(row)
    return [row for found in series.values() for row in _told(sorted(found, key=lambda row: row.start))]


def _told(rows: list[EdgeRow]) -> list[EdgeRow]:
    rates, means = _filled([row.error_rate for row in rows]), _filled([row.mean_ms for row in rows])
    return [
        row if row.error_rate is not None and row.mean_ms is not None else replace(row, error_rate=rate, mean_ms=mean)
        for row, rate, mean in zip(rows, rates, means, strict=True)
    ]


def _filled(values: Sequence[float | None]) -> list[float | None]:
    known = [place for place, value in enumerate(values) if value is not None]
    if len(known) == len(values) or not known:
        return list(values)
    found: list[float | None] = []
    for place, value in enumerate(values):
        beside = [one for at in next_to(place, known) if (one := values[at]) is not None]
        found.append(value if value is not None else sum(beside) / len(beside))
    return found


def next_to(place: int, known: Sequence[int], reach: int | None = None) -> list[int]:
    """The nearest of the known places (ascending) before and after this one, no further away than `reach`."""
    at = bisect_left(known, place)
    around = [*known[max(0, at - 1) : at], *known[at : at + 1]]
    return [one for one in around if reach is None or abs(one - place) <= reach]
