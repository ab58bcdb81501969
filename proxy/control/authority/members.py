"""Which proxy of a mesh may have which identities.

In: the registry. Out: SPIFFE ids by proxy and service. Pure.
"""

from __future__ import annotations

from proxy.control.authority.errors import Refused
from proxy.control.authority.review import Account
from proxy.control.authority.rotation import Standing
from proxy.control.authority.spiffe import spiffe_id
from proxy.control.documents import Document
from proxy.control.errors import UnknownProxy
from proxy.control.proxies import Proxy
from proxy.control.registry import Registry

APPLICATION = " (application)"
"""Behind a proxy's name in the ledger: the application beside it, which has a key of its own."""


def identities_of(registry: Registry, proxy: Proxy) -> dict[str, str]:
    """The SPIFFE ids of a proxy: one for each service that it stands beside, by full name, or its gateway's."""
    beside: list[Document] = [proxy.gateway] if proxy.gateway else [service for service, _ in proxy.instances]
    domain = registry.mesh.spec.trust_domain
    return {one.full_name: spiffe_id(domain, one.metadata.namespace, one.metadata.name) for one in beside}


def identity(registry: Registry, proxy: str, service: str) -> str:
    """The SPIFFE id of one service at one proxy; raises UnknownProxy, Refused."""
    known = identities_of(registry, registry.proxy(proxy))
    if service not in known:
        raise Refused("not_its_service", f"the proxy {proxy} stands beside {', '.join(known)}, not beside {service!r}")
    return known[service]


def not_of(registry: Registry, account: Account, proxy: str) -> str | None:
    """Why a service account has nothing to do with a proxy; None when one of its identities is the account's."""
    try:
        known = registry.proxy(proxy)
        refusals = [_refusal(account, proxy, uri, known) for uri in identities_of(registry, known).values()]
    except UnknownProxy as error:
        return str(error)
    return None if None in refusals else next(iter(refusals), f"the proxy {proxy} has no identity")


def _refusal(account: Account, proxy: str, uri: str, known: Proxy) -> str | None:
    try:
        account.check(proxy, uri, gateway=known.gateway is not None)
    except Refused as error:
        return str(error)
    return None


def standing(registry: Registry, acknowledged: frozenset[str]) -> Standing:
    """Every identity that the mesh needs, and which proxies serve the roots in force."""
    members = {(proxy.name, uri) for proxy in registry.proxies for uri in identities_of(registry, proxy).values()}
    applications = {(proxy + APPLICATION, uri) for proxy, uri in members}
    return Standing(frozenset(members), acknowledged, frozenset(applications))
