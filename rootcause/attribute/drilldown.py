"""Narrows a culprit down to the version, instance or route that carries the trouble, by comparing those that served at
the same time: a difference between them cannot come from load, time of day or the callers.

In: rows of the culprit in the time in question, and what is normal. Out: the dimensions that the evidence reaches.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rootcause.attribute.own_time import normals, own, samples_by_route
from rootcause.detect.baseline import MIN_CALLS, Normal
from rootcause.detect.chance import log_fisher
from rootcause.detect.errors import UNLIKELY
from rootcause.load.window import Served, Window, calls, own_errors

HEALTHY_SHARE = 0.25
"""A sibling is healthy when a call of it is affected at most this much compared with one of the suspected value."""

Dimension = Callable[[Served], str]


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Empty where every value is affected alike, or there is only one and nothing to compare it with."""

    version: str = ""
    instance: str = ""
    route: str = ""
    siblings: str = ""
    """Those that served at the same time and are healthy: the comparison, in words."""


UNNARROWED = Narrowed()


def narrow(service: str, baseline: Window, observed: Window, *, by_errors: bool) -> Narrowed:
    """The narrowest version, instance and route of `service` that explains its own errors or else its own time."""
    rows = [row for row in observed.served if row.service == service]
    normal = normals([row for row in baseline.served if row.service == service], own)
    affected = _errors if by_errors else lambda rows: _added_ms(rows, normal)
    version, healthy_versions = _odd_one_out(rows, lambda row: row.version, affected, by_errors=by_errors)
    if version:
        rows = [row for row in rows if row.version == version]
    instance, healthy_instances = _odd_one_out(rows, lambda row: row.instance, affected, by_errors=by_errors)
    if instance:
        rows = [row for row in rows if row.instance == instance]
    if version and len({row.instance for row in rows}) == 1:
        instance = rows[0].instance
    route, _ = _odd_one_out(rows, lambda row: row.route, affected, by_errors=by_errors)
    return Narrowed(version, instance, route, healthy_versions or healthy_instances)


def _odd_one_out(
    rows: list[Served], dimension: Dimension, affected: Callable[[list[Served]], float], *, by_errors: bool
) -> tuple[str, str]:
    """The one value that is affected while the others, with enough calls of their own, are not; and those others."""
    groups: dict[str, list[Served]] = {}
    for row in rows:
        groups.setdefault(dimension(row), []).append(row)
    count = {value: _calls(group) for value, group in groups.items()}
    rate = {value: affected(group) / count[value] for value, group in groups.items() if count[value] >= MIN_CALLS}
    if len(rate) < 2:
        return "", ""
    worst = max(rate, key=lambda value: rate[value])
    others = [value for value in rate if value != worst]
    if rate[worst] <= 0 or any(rate[value] > HEALTHY_SHARE * rate[worst] for value in others):
        return "", ""
    if by_errors and not _clear(groups[worst], [row for value in others for row in groups[value]]):
        return "", ""
    return worst, ", ".join(sorted(others))


def _added_ms(rows: list[Served], normal: dict[tuple[str, str], Normal]) -> float:
    """Own time beyond normal, or beyond nothing on a route that normal time did not see."""
    added = 0.0
    for key, samples in samples_by_route(rows, own).items():
        if key in normal:
            usual = normal[key].mean_ms
            added += sum(sample.calls * (sample.mean_ms - usual) for sample in samples.values())
    return added


def _errors(rows: list[Served]) -> float:
    return float(sum(own_errors(row.buckets) for row in rows))


def _clear(worst: list[Served], others: list[Served]) -> bool:
    return log_fisher(int(_errors(worst)), _calls(worst), int(_errors(others)), _calls(others)) <= UNLIKELY / 2


def _calls(rows: list[Served]) -> int:
    return sum(calls(row.buckets) for row in rows)
