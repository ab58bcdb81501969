"""How many requests and calls there were, by service, route, link and bucket.

In: the traffic of a window. Out: counts, found once of each traffic.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from rootcause.attribute.links import Ends
from rootcause.detect.fewer import Counted
from rootcause.load.window import Traffic, calls, once

Series = Mapping[float, int]
"""By bucket."""


@once
def requests_by_service(traffic: Traffic) -> Counter[str]:
    """Over all routes and buckets."""
    found: Counter[str] = Counter()
    for row in traffic.served:
        found[row.service] += calls(row.buckets)
    return found


def requests_by_route(service: str, traffic: Traffic) -> Counter[str]:
    """Of one service."""
    return _requests_by_route(traffic).get(service, Counter())


@once
def _requests_by_route(traffic: Traffic) -> Mapping[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for row in traffic.served:
        found.setdefault(row.service, Counter())[row.route] += calls(row.buckets)
    return found


@once
def requests_by_bucket(traffic: Traffic) -> Mapping[str, Series]:
    """Of each service."""
    found: dict[str, dict[float, int]] = {}
    for row in traffic.served:
        into = found.setdefault(row.service, {})
        for bucket in row.buckets:
            into[bucket.start] = into.get(bucket.start, 0) + bucket.calls
    return found


@once
def calls_by_bucket(traffic: Traffic) -> Mapping[Ends, Series]:
    """Of each link, as the end that saw more of them."""
    views: dict[tuple[bool, Ends], dict[float, int]] = defaultdict(dict)
    for row in traffic.called:
        if row.source:
            into = views[row.by_source, (row.source, row.destination)]
            for bucket in row.buckets:
                into[bucket.start] = into.get(bucket.start, 0) + bucket.calls
    found: dict[Ends, dict[float, int]] = {}
    for (_, ends), series in views.items():
        for start, many in series.items():
            most = found.setdefault(ends, {})
            most[start] = max(many, most.get(start, 0))
    return found


def calls_for_requests(ends: Ends, traffic: Traffic) -> Mapping[float, Counted]:
    """Calls of one link by bucket, each request of its source having been a chance to make some."""
    known = _calls_for_requests(traffic).get(ends)
    return known if known is not None else _counted({}, requests_by_bucket(traffic).get(ends[0], {}))


@once
def _calls_for_requests(traffic: Traffic) -> Mapping[Ends, Mapping[float, Counted]]:
    asked = requests_by_bucket(traffic)
    return {ends: _counted(made, asked.get(ends[0], {})) for ends, made in calls_by_bucket(traffic).items()}


def _counted(done: Series, chances: Series) -> Mapping[float, Counted]:
    return {start: Counted(many, done.get(start, 0)) for start, many in chances.items()}
