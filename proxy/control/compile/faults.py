"""The faults that one caller makes in its calls to a service.

In: FaultInjections. Out: one snapshot fault a match, in the order of documents and rules. Never: those of others.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy.control.compile.matches import http_path, values
from proxy.control.documents import Document, FaultInjection, Service
from proxy.control.documents.fault_injection import Abort as AbortSpec
from proxy.control.documents.fault_injection import FaultRule
from proxy.control.documents.http_route import HttpMatch
from proxy.control.registry import Registry
from proxy.snapshot.faults import Abort, Fault


def faults(registry: Registry, service: Service, caller: Document) -> tuple[Fault, ...]:
    """The faults that the proxies of `caller` make in their calls to `service`."""
    documents = [document for document in registry.of(FaultInjection) if document.concerns == service.full_name]
    documents.sort(key=lambda document: (document.metadata.namespace, document.metadata.name))
    return tuple(fault for document in documents for fault in _of(document, caller))


def named_callers(registry: Registry) -> frozenset[str]:
    """The services that some fault is for by name: what they call is not as others see it."""
    documents = registry.of(FaultInjection)
    return frozenset(
        one.full_name(document) for document in documents for rule in document.spec.rules for one in rule.callers or ()
    )


def _of(document: FaultInjection, caller: Document) -> Iterator[Fault]:
    for number, rule in enumerate(document.spec.rules):
        if rule.callers is not None and caller.full_name not in {one.full_name(document) for one in rule.callers}:
            continue
        for match in rule.matches:
            yield _fault(f"{document.full_name}/{rule.name or number}", rule, match)


def _fault(name: str, rule: FaultRule, match: HttpMatch) -> Fault:
    return Fault(
        name=name,
        path=http_path(match),
        method=match.method,
        headers=values(match.headers),
        query=values(match.query_params),
        per_million=round(rule.percentage * 10_000),
        delay_ms=rule.delay.fixed if rule.delay else 0,
        delay_jitter_ms=(rule.delay.jitter or 0) if rule.delay else 0,
        abort=_abort(rule.abort) if rule.abort else None,
    )


def _abort(spec: AbortSpec) -> Abort:
    return Abort(status=spec.status, grpc_status=spec.grpc_status, reset=bool(spec.reset))
