"""Simulated requests of a mesh on its way to strict mTLS: one caller is still in the clear, some calls are denied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rootcause.load.spans import Kind
from tests.world.identities import spiffe_id
from tests.world.mesh_sim import Proxied

PLAIN = "cart"
"""The caller that has no certificate yet."""
DENIED, AUDITED = 2, 3
"""Of the calls from checkout to payments: policies turned the first ones away, and would have turned away the next."""
RULE = "payments/desk"
MISSED = "caller spiffe://mesh.local/ns/default/sa/checkout, not spiffe://mesh.local/ns/default/sa/desk"


def secured(traffic: Sequence[Proxied]) -> list[Proxied]:
    """The same requests with what callees say of their callers."""
    charges = 0
    made = []
    for one in traffic:
        source = one.attributes.get("mesh.source.service", "")
        more = protection(source) if one.span.kind is Kind.SERVER and source else {}
        if source == "checkout" and one.span.kind is Kind.SERVER and one.span.service == "payments":
            charges += 1
            more |= verdict(charges)
        made.append(replace(one, attributes=one.attributes | more))
    return made


def protection(source: str) -> dict[str, str]:
    """How a call of this service came in."""
    if source == PLAIN:
        return {"mesh.tls": "plaintext"}
    return {"mesh.tls": "mutual", "mesh.source.identity": spiffe_id(source)}


def verdict(number: int) -> dict[str, str]:
    """What policies said of a call."""
    told = {"mesh.policy": RULE, "mesh.policy.missed": MISSED}
    if number <= DENIED:
        return {**told, "mesh.reason": "not_allowed", "http.response.status_code": "403"}
    return {**told, "mesh.policy.audit": "not_allowed"} if number <= DENIED + AUDITED else {}
