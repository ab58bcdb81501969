"""Which services no longer measure anything, or did not for a while, while the others went on: they are gone, or were
and came back.

In: series of both windows. Out: by service, what it used last. Never: a service that is seldom measured, or when most
are not measured any more, which is the collector's doing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median

from rootcause.attribute.strays import CLEAR, Stray
from rootcause.load.metric_names import USED, tells
from rootcause.load.window import Series, Window

_FEWEST = 3
"""Samples that are to be missed."""
_GO_ON = 0.5


def vanished(baseline: Window, observed: Window) -> dict[str, Stray]:
    """By service."""
    before, now = _by_service(baseline.series), _by_service(observed.series)
    still = [service for service in before if service in now]
    if len(still) <= _GO_ON * len(before):
        return {}
    due = median(max(len(one.values) for one in now[service]) for service in still)
    usual = median(max(len(one.values) for one in before[service]) for service in still)
    found = {}
    for service in sorted(before.keys() - now.keys()):
        used = _used(before[service])
        share = max((len(one.values) for one in used), default=0) / usual
        if due * min(1.0, share) >= _FEWEST:
            found[service] = _last(used)
    return found | {service: _last(_used(before[service])) for service in _paused(before, now)}


def _paused(before: Mapping[str, Sequence[Series]], now: Mapping[str, Sequence[Series]]) -> list[str]:
    """Services of which samples are missed that never were, and of the others are not."""
    usual, missed = _missed(before), _missed(now)
    both = usual.keys() & missed.keys()
    found = sorted(service for service in both if missed[service] >= _FEWEST + 2 * usual[service])
    return found if len(found) < (1 - _GO_ON) * len(both) else []


def _missed(measured: Mapping[str, Sequence[Series]]) -> dict[str, int]:
    """How many samples in a row of what it uses up are missed at the most, by service."""
    times = {
        service: sorted({time for one in _used(several) for time in one.times}) for service, several in measured.items()
    }
    some = {service: at for service, at in times.items() if len(at) > 1}
    if not some:
        return {}
    first, last = median(at[0] for at in some.values()), median(at[-1] for at in some.values())
    found = {}
    for service, at in some.items():
        steps = [later - sooner for sooner, later in pairwise(at)]
        step = median(steps)
        found[service] = round(max(max(steps) - step, at[0] - first, last - at[-1]) / step)
    return found


def _used(several: Iterable[Series]) -> list[Series]:
    return [one for one in several if tells(one.metric) in USED]


def _last(used: Iterable[Series]) -> Stray:
    series = max(used, key=lambda one: (len(one.values), one.metric))
    kind = tells(series.metric)
    assert kind is not None
    level = median(series.values)
    return Stray(series.service, series.instance, series.metric, kind, level, 0.0, CLEAR, rises=False)


def _by_service(series: Iterable[Series]) -> dict[str, list[Series]]:
    found: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        found[one.service].append(one)
    return found
