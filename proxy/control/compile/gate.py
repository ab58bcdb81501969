"""What the TrafficPolicy of a service says of requests that arrive, in the units of the engine."""

from __future__ import annotations

from collections.abc import Iterable

from proxy.control.compile.matches import http_path, values
from proxy.control.compile.policies import policy_of
from proxy.control.documents import Document
from proxy.control.documents.gate import ConcurrencySpec, RateLimitSpec, RateSpec
from proxy.control.documents.http_route import HttpMatch
from proxy.control.registry import Registry
from proxy.snapshot.gate import (
    Asked,
    Concurrency,
    Gate,
    OwnRate,
    Priority,
    Rate,
    RateKey,
    RateLimit,
    Shedding,
)


def gate(registry: Registry, target: Document) -> Gate:
    """Which requests the proxies beside a service let in, or a gateway; all of them where there is no policy."""
    found = policy_of(registry, target)
    if found is None:
        return Gate()
    spec = found.spec
    return Gate(
        rate_limits=tuple(_rate_limit(str(number), limit) for number, limit in enumerate(spec.rate_limits)),
        concurrency=_concurrency(spec.concurrency) if spec.concurrency else None,
        shedding=Shedding(lag_ms=spec.shedding.lag) if spec.shedding else None,
        priority=Priority(spared=_asked(spec.priority.spared), expendable=_asked(spec.priority.expendable)),
    )


def _rate_limit(number: str, spec: RateLimitSpec) -> RateLimit:
    by = None
    if spec.by is not None:
        by = RateKey(kind="header" if spec.by.header else "source", name=spec.by.header)
    return RateLimit(
        name=spec.name or number,
        matches=_asked(spec.matches),
        rate=_rate(spec),
        by=by,
        keys=spec.keys,
        own=tuple(OwnRate(key=own.value, rate=_rate(own)) for own in spec.overrides),
    )


def _rate(spec: RateSpec) -> Rate:
    return Rate(requests=spec.requests, per_ms=spec.per, burst=spec.burst or spec.requests)


def _asked(matches: Iterable[HttpMatch]) -> tuple[Asked, ...]:
    return tuple(
        Asked(
            path=http_path(match),
            method=match.method,
            headers=values(match.headers),
            query=values(match.query_params),
        )
        for match in matches
    )


def _concurrency(spec: ConcurrencySpec) -> Concurrency:
    return Concurrency(
        least=spec.min, most=spec.max, tolerance=spec.tolerance, window_ms=spec.window, measure_ms=spec.measure
    )
