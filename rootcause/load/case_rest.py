"""Reads what stands beside the calls of a recorded incident: log lines and metrics, of normal time and of the incident.

In: a case. Out: both windows with what services complain of, and what their instances use up. A file that cannot be
read is said, and done without.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from math import inf, nextafter
from pathlib import Path
from typing import TypeVar

from rootcause.load.amounts import resource_of
from rootcause.load.log_patterns import Log
from rootcause.load.log_trouble import trouble_told
from rootcause.load.rates import comparable, cut
from rootcause.load.recorded import LOGS, METRICS, Case, CaseRefused
from rootcause.load.recorded_tables import logs, series
from rootcause.load.same_names import same_names
from rootcause.load.shares import share_of
from rootcause.load.window import Amount, Interval, Series, Step, Usage, Window

log = logging.getLogger(__name__)

T = TypeVar("T")
Named = TypeVar("Named", Log, Series)
Pair = tuple[T, T]
"""Of normal time, and of the incident."""
_MOSTLY = 0.5


@dataclass(frozen=True, slots=True)
class Rest:
    """`lines` and `metered` of both times."""

    lines: Pair[Sequence[Log]] = ((), ())
    metered: Pair[Sequence[Series]] = ((), ())

    def known_as(self, services: Set[str]) -> Rest:
        """With the names that `services` go by elsewhere."""
        told = {line.service for lines in self.lines for line in lines}
        names = same_names(services, told | {one.service for part in self.metered for one in part})
        if not names:
            return self
        return Rest(
            (_renamed(self.lines[0], names), _renamed(self.lines[1], names)),
            (_renamed(self.metered[0], names), _renamed(self.metered[1], names)),
        )

    def of_spans(self, before: Set[str], since: Set[str]) -> Rest:
        """Lines keep the spans that they name only where most of these are known."""
        if all(_mostly(lines, known) for lines, known in zip(self.lines, (before, since), strict=True)):
            return self
        return self.of_no_spans()

    def of_no_spans(self) -> Rest:
        """Lines of no known request."""
        before, since = ([replace(line, span="") for line in lines] for lines in self.lines)
        return replace(self, lines=(before, since))

    def added_to(self, windows: Pair[Window], case: Case) -> Pair[Window]:
        """The windows, and what is beside them."""
        before, since = windows
        usual: tuple[Step, ...] = ()
        now: tuple[Step, ...] = ()
        if _heard(self.lines[0], case.baseline) and _heard(self.lines[1], case.incident):
            usual, now = trouble_told((self.lines[0], case.baseline), (self.lines[1], case.incident))
        return _with(before, self.metered[0], usual), _with(since, self.metered[1], now)


def rest_of(case: Case) -> Rest:
    """All log lines and metrics of a case."""
    before, since = (
        [line for path in paths for line in _readable(logs, path)]
        for paths in (case.baseline_files(LOGS), [case.folder / LOGS])
    )
    own = _readable(series, case.folder / METRICS)
    comparables = comparable(*(_readable(series, path) for path in case.baseline_files(METRICS)), own)
    until = nextafter(max((one.times[-1] for one in own), default=-inf), inf)
    usual = cut(comparables, lambda _: case.normally_metered(until))
    return Rest((before, since), (usual, cut(comparables, case.metered)))


def _readable(read: Callable[[Path], Sequence[T]], path: Path) -> Sequence[T]:
    try:
        return read(path)
    except CaseRefused as error:
        log.warning("done without: %s", error)
        return ()


def _renamed(parts: Iterable[Named], names: Mapping[str, str]) -> list[Named]:
    return [replace(one, service=names.get(one.service, one.service)) for one in parts]


def _mostly(lines: Sequence[Log], known: Set[str]) -> bool:
    named = [line.span for line in lines if line.span]
    return sum(span in known for span in named) >= _MOSTLY * len(named)


def _heard(lines: Iterable[Log], within: Sequence[Interval]) -> bool:
    """Whether there is a line at all: where nobody says anything, nobody is heard."""
    return any(line.time in part for line in lines for part in within)


def _with(window: Window, metered: Sequence[Series], steps: Sequence[Step]) -> Window:
    shares: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    amounts = []
    for one in metered:
        scale = share_of(one.metric)
        if scale is not None:
            shares[one.service, one.instance, scale[0]] += [value / scale[1] for value in one.values]
        elif resource_of(one.metric):
            amounts.append(Amount(one.service, one.instance, one.metric, tuple(one.values)))
    return replace(
        window,
        steps=(*window.steps, *steps),
        usage=tuple(Usage(*key, tuple(values)) for key, values in shares.items()),
        amounts=tuple(amounts),
        series=tuple(metered),
    )
