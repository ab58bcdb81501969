"""Whose tokens count at a Service or a Gateway.

In: every RequestAuthentication that is for it, and the key sets that were fetched. Out: the same in the words of the
engine; keys that have not been fetched yet are absent, and the tokens they would prove are refused until they are.
"""

from __future__ import annotations

from proxy.control.documents import Gateway, RequestAuthentication, Service
from proxy.control.documents.authentication import IssuerSpec
from proxy.control.registry import Registry
from proxy.snapshot.authentication import Issuer, Tokens


def tokens(registry: Registry, target: Service | Gateway) -> Tokens | None:
    """None where tokens are nobody's affair."""
    name, namespace = target.full_name, target.metadata.namespace
    documents = [one for one in registry.of(RequestAuthentication) if one.is_for(name, namespace)]
    if not documents:
        return None
    documents.sort(key=lambda one: (one.metadata.namespace, one.metadata.name))
    return Tokens(
        required=any(document.spec.required for document in documents),
        issuers=tuple(_issuer(registry, spec) for document in documents for spec in document.spec.issuers),
    )


def _issuer(registry: Registry, spec: IssuerSpec) -> Issuer:
    return Issuer(
        issuer=spec.issuer,
        audiences=spec.audiences,
        jwks=spec.jwks or registry.key_sets.get(spec.jwks_url or ""),
        leeway_s=spec.leeway // 1_000,
        header=spec.header,
        forward=spec.forward,
        claim_headers=tuple((pair.header, pair.claim) for pair in spec.claim_headers),
    )
