"""Who may ask what of a Service, or at a Gateway.

In: every AuthorizationPolicy and RequestAuthentication that is for it, by namespace and name. Out: the same in the
words of the engine, callers as SPIFFE ids. None where there is none: anyone may ask anything, and the proxy looks at
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy.control.compile.authentication import tokens
from proxy.control.compile.matches import values
from proxy.control.documents import AuthorizationPolicy, Gateway, Service
from proxy.control.documents.authorization import CallerSpec, PolicyMatch, PolicyPath, PolicyRule
from proxy.control.registry import Registry
from proxy.snapshot.authorization import AccessPolicy, AccessRule, Authorization, ClaimMatch
from proxy.snapshot.gate import Asked
from proxy.snapshot.routes import PathMatch


def authorization(registry: Registry, target: Service | Gateway) -> Authorization | None:
    """The policies for one Service or Gateway."""
    name, namespace = target.full_name, target.metadata.namespace
    documents = [one for one in registry.of(AuthorizationPolicy) if one.is_for(name, namespace)]
    whose_tokens = tokens(registry, target)
    if not documents and whose_tokens is None:
        return None
    documents.sort(key=lambda one: (one.metadata.namespace, one.metadata.name))
    return Authorization(
        service=name,
        ports=_ports(target),
        believed=registry.mesh.spec.trust_domain if registry.mesh.spec.authorization.trust_headers else None,
        policies=tuple(_policy(registry, document) for document in documents),
        tokens=whose_tokens,
    )


def identity(registry: Registry, name: str, namespace: str) -> str:
    """The SPIFFE id of a service, or of those that a `*` stands for."""
    return f"spiffe://{registry.mesh.spec.trust_domain}/ns/{namespace}/sa/{name}"


def _ports(target: Service | Gateway) -> tuple[int, ...]:
    """Of a gateway, one for each of its doors."""
    if isinstance(target, Gateway):
        return tuple(listeners[0].port for listeners in target.listens_at.values())
    return (target.spec.port,)


def _policy(registry: Registry, document: AuthorizationPolicy) -> AccessPolicy:
    spec = document.spec
    return AccessPolicy(
        name=document.full_name,
        action="deny" if spec.action == "Deny" else "allow",
        audit=spec.mode == "Audit",
        rules=tuple(_rule(registry, document, number, rule) for number, rule in enumerate(spec.rules)),
    )


def _rule(registry: Registry, document: AuthorizationPolicy, number: int, rule: PolicyRule) -> AccessRule:
    return AccessRule(
        name=f"{document.full_name}/{rule.name or number}",
        callers=tuple(_caller(registry, document, caller) for caller in rule.callers or ()),
        matches=tuple(_matches(rule)),
        ports=rule.ports or (),
        claims=tuple(ClaimMatch(name=claim.name, values=claim.values) for claim in rule.claims),
    )


def _caller(registry: Registry, document: AuthorizationPolicy, caller: CallerSpec) -> str:
    if caller.identity:
        return caller.identity
    return identity(registry, caller.name or "*", caller.namespace or document.metadata.namespace)


def _matches(rule: PolicyRule) -> Iterator[Asked]:
    """None where one of them asks for nothing: any request will do, and a tunnel too."""
    matches = rule.matches or ()
    if PolicyMatch() not in matches:
        for match in matches:
            yield Asked(path=_path(match.path), method=match.method, headers=values(match.headers))


def _path(path: PolicyPath) -> PathMatch | None:
    if path.type == "PathPrefix":
        plain = path.value.rstrip("/")
        return PathMatch(kind="prefix", value=plain) if plain else None
    return PathMatch(kind="exact" if path.type == "Exact" else "template", value=path.value)
