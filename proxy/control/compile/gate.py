"""What the TrafficPolicy of a service says of requests that arrive, in the units of the engine."""

from __future__ import annotations

from proxy.control.compile.policies import policy_of
from proxy.control.documents import Service
from proxy.control.documents.gate import ConcurrencySpec, RateLimitSpec, SheddingSpec
from proxy.control.registry import Registry
from proxy.snapshot.gate import Concurrency, Gate, RateKey, RateLimit, Shedding, Spared


def gate(registry: Registry, service: Service) -> Gate:
    """Which requests the proxies beside the service let in; all of them where there is no policy."""
    found = policy_of(registry, service)
    if found is None:
        return Gate()
    spec = found.spec
    return Gate(
        rate_limit=_rate_limit(spec.rate_limit) if spec.rate_limit else None,
        concurrency=_concurrency(spec.concurrency) if spec.concurrency else None,
        shedding=_shedding(spec.shedding) if spec.shedding else None,
    )


def _rate_limit(spec: RateLimitSpec) -> RateLimit:
    by = None
    if spec.by is not None:
        by = RateKey(kind="header" if spec.by.header else "source", name=spec.by.header)
    return RateLimit(requests=spec.requests, per_ms=spec.per, burst=spec.burst or spec.requests, by=by, keys=spec.keys)


def _concurrency(spec: ConcurrencySpec) -> Concurrency:
    return Concurrency(
        least=spec.min, most=spec.max, tolerance=spec.tolerance, window_ms=spec.window, measure_ms=spec.measure
    )


def _shedding(spec: SheddingSpec) -> Shedding:
    spared = Spared(name=spec.spared.header, value=spec.spared.value) if spec.spared else None
    return Shedding(lag_ms=spec.lag, spared=spared)
