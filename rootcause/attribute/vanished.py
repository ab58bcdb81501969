"""Which services no longer measure anything, while the others go on: they, or whoever asks them, are gone.

In: series of both windows. Out: by service, what it used last. Never: a service that is seldom measured, or when most
are not measured any more, which is the collector's doing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
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
        used = [one for one in before[service] if tells(one.metric) in USED]
        share = max((len(one.values) for one in used), default=0) / usual
        if due * min(1.0, share) >= _FEWEST:
            found[service] = _last(max(used, key=lambda one: (len(one.values), one.metric)))
    return found


def _last(series: Series) -> Stray:
    kind = tells(series.metric)
    assert kind is not None
    level = median(series.values)
    return Stray(series.service, series.instance, series.metric, kind, level, 0.0, CLEAR, rises=False)


def _by_service(series: Iterable[Series]) -> dict[str, list[Series]]:
    found: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        found[one.service].append(one)
    return found
