"""The TrafficPolicy of a service in the units of the engine."""

from __future__ import annotations

from proxy.control.documents import Document, Service, TrafficPolicy
from proxy.control.documents.traffic_policy import BalancerSpec, HashOnSpec, OutlierSpec, RetrySpec
from proxy.control.registry import Registry
from proxy.snapshot.policies import Balancer, Breaker, HashOn, Hedge, Outlier, Policy, Retry


def policy_of(registry: Registry, target: Document) -> TrafficPolicy | None:
    """The policy for this service or gateway."""
    return next((one for one in registry.of(TrafficPolicy) if one.concerns == target.full_name), None)


def policy(registry: Registry, service: Service) -> Policy:
    """How this service is called; the defaults where there is no policy."""
    found = policy_of(registry, service)
    if found is None:
        return Policy()
    spec = found.spec
    return Policy(
        balancer=_balancer(spec.balancer),
        outlier=_outlier(spec.outlier) if spec.outlier else None,
        breaker=Breaker(**spec.breaker.model_dump()) if spec.breaker else None,
        retry=_retry(spec.retry) if spec.retry else None,
        hedge=Hedge(after_ms=spec.hedge.after) if spec.hedge else None,
    )


def _balancer(spec: BalancerSpec) -> Balancer:
    return Balancer(
        kind=spec.type,
        hash_on=_hash_on(spec.hash_on) if spec.hash_on else None,
        slow_start_ms=spec.slow_start or 0,
        zone_percent=spec.zone_threshold,
    )


def _hash_on(spec: HashOnSpec) -> HashOn:
    if spec.source:
        return HashOn(kind="source")
    return HashOn(kind="header", name=spec.header) if spec.header else HashOn(kind="cookie", name=spec.cookie)


def _outlier(spec: OutlierSpec) -> Outlier:
    return Outlier(
        consecutive=spec.consecutive_failures,
        success_rate=spec.success_rate,
        latency_factor=spec.latency_factor,
        interval_ms=spec.interval,
        least_requests=spec.least_requests,
        ejection_ms=spec.ejection_time,
        most_ejected=spec.max_ejected,
        panic=spec.panic_threshold,
    )


def _retry(spec: RetrySpec) -> Retry:
    return Retry(
        attempts=spec.attempts,
        on=spec.on,
        statuses=spec.statuses,
        backoff_ms=spec.backoff.base,
        backoff_max_ms=spec.backoff.max,
        budget_percent=spec.budget.percent,
        budget_per_s=spec.budget.per_second,
        body_bytes=spec.body_bytes,
    )
