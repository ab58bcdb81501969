"""Compares whom requests wait for with whom they used to wait for: by how much each made them longer.

In: spans of some requests of normal time and of now, the symptom. Out: parts in ms that add up to the whole shift of
these requests, longest first. A changed mix of requests is no shift: each name is compared with itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rootcause.attribute.critical_path import children, critical_path
from rootcause.detect.symptom import Symptom
from rootcause.explain.finding import OnPath
from rootcause.explain.wording import THE_REST
from rootcause.load.looked import Sample
from rootcause.load.spans import Kind, Span

MOST = 8
_FEWEST = 3


@dataclass(slots=True)
class _Sums:
    requests: int = 0
    on: Counter[str] = field(default_factory=Counter)
    beside: Counter[str] = field(default_factory=Counter)


def waited_for(sample: Sample, symptom: Symptom) -> tuple[OnPath, ...]:
    """The parts; none of what is not a matter of time, or of requests of which too few were seen."""
    if symptom.signal != "latency":
        return ()
    before, now = _sums(sample.before, symptom), _sums(sample.now, symptom)
    names = [name for name, sums in now.items() if sums.requests >= _FEWEST and before[name].requests >= _FEWEST]
    if not names:
        return ()
    weights = {name: now[name].requests for name in names}
    figures = [_mean(sums, weights) for sums in (before, now)]
    places = sorted(figures[0][0].keys() | figures[1][0].keys() | figures[1][1].keys())
    parts = [
        OnPath(
            where=place,
            baseline_ms=round(figures[0][0][place], 3),
            observed_ms=round(figures[1][0][place], 3),
            added_ms=round(figures[1][0][place] - figures[0][0][place], 3),
            beside_ms=round(figures[1][1][place], 3),
        )
        for place in places
    ]
    parts.sort(key=lambda part: (-max(abs(part.added_ms), part.beside_ms), part.where))
    kept = sorted(parts[:MOST], key=lambda part: (-abs(part.added_ms), part.where))
    return (*kept, *_rest(parts[MOST:]))


def _rest(parts: list[OnPath]) -> Iterable[OnPath]:
    if parts:
        yield OnPath(
            where=THE_REST,
            baseline_ms=round(sum(part.baseline_ms for part in parts), 3),
            observed_ms=round(sum(part.observed_ms for part in parts), 3),
            added_ms=round(sum(part.added_ms for part in parts), 3),
            beside_ms=round(sum(part.beside_ms for part in parts), 3),
        )


def _sums(spans: Iterable[Span], symptom: Symptom) -> Mapping[str, _Sums]:
    """By name of the request."""
    spans = list(spans)
    below = children(spans)
    known = {(span.trace, span.id): span.service for span in spans}
    found: dict[str, _Sums] = defaultdict(_Sums)
    for span in spans:
        received = span.kind is Kind.SERVER or known.get((span.trace, span.parent)) != span.service
        if span.service == symptom.service and received and is_of(span, symptom.route):
            path, sums = critical_path(span, below), found[span.name]
            sums.requests += 1
            sums.on.update(path.on)
            sums.beside.update(path.beside)
    return found


def is_of(span: Span, route: str) -> bool:
    """Whether a request is of a route: a path, before which a span's name has the method; others are as they are."""
    return not route or route == span.name or span.name.endswith(f" {route}")


def _mean(sums: Mapping[str, _Sums], weights: Mapping[str, int]) -> tuple[Counter[str], Counter[str]]:
    """Of the names together, in ms a request, each name weighing as much in both times."""
    means: tuple[dict[str, float], dict[str, float]] = defaultdict(float), defaultdict(float)
    for name, weight in weights.items():
        share = weight / sum(weights.values()) / sums[name].requests / 1e6
        for into, counted in zip(means, (sums[name].on, sums[name].beside), strict=True):
            for place, ns in counted.items():
                into[place] += share * ns
    return Counter(means[0]), Counter(means[1])
