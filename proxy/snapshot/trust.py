"""Whose certificates are believed: the roots of each trust domain, and the signed lists of what was revoked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from proxy.snapshot.parts import Part

TrustDomain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]{1,255}$")]
"""The name of a trust domain (SPIFFE-ID, 2.1)."""

_SEGMENT = r"/(?:[A-Za-z0-9_-]|\.[A-Za-z0-9_-]|\.\.[A-Za-z0-9._-])[A-Za-z0-9._-]*"

SpiffeId = Annotated[
    str,
    StringConstraints(max_length=2_048, pattern=rf"^spiffe://[a-z0-9._-]{{1,255}}(?:{_SEGMENT})+$"),
]
"""Who a workload is (SPIFFE-ID, 2)."""

Demand = Literal["off", "permissive", "strict"]
"""Of callers: nothing is looked for; encrypted or not; encrypted only."""


class Crl(Part):
    """What one issuer denies, signed by it (RFC 5280, 5); DER in base64."""

    issuer: str = Field(description="Its certificate, which a root of the trust domain has signed, or is.")
    crl: str = Field(description="The list; its time is not looked at.")


class Trust(Part):
    """Whose certificates are believed."""

    domains: dict[TrustDomain, tuple[str, ...]] = Field(default={}, description="Roots: DER in base64.")
    crls: dict[TrustDomain, tuple[Crl, ...]] = Field(default={}, description="What of it was revoked, by issuer.")
