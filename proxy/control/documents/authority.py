"""`Mesh.spec.authority`: how long the certificates of the mesh live; `Mesh.spec.trustDomain`: in whose name."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from proxy.control.documents.base import Spec

_LIFETIME = re.compile(r"^(\d{1,6})(s|m|h|d)$")
_UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SHORTEST = timedelta(seconds=10)
_LONGEST = timedelta(days=36_500)


def _lifetime(value: Any) -> Any:
    match = _LIFETIME.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a lifetime such as 30m, 24h or 90d")
    lifetime = timedelta(seconds=int(match[1]) * _UNIT_S[match[2]])
    if not _SHORTEST <= lifetime <= _LONGEST:
        raise ValueError("expected a lifetime between 10s and 36500d")
    return lifetime


Lifetime = Annotated[timedelta, BeforeValidator(_lifetime, json_schema_input_type=str)]


TrustDomain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]{1,255}$")]
"""As in SPIFFE-ID, 2.1."""


class AuthoritySpec(Spec):
    """Each is replaced when two thirds of its life are over; a change holds for what is issued from then on."""

    lifetime: Lifetime = timedelta(hours=24)
    issuer_lifetime: Lifetime = Field(default=timedelta(days=90), alias="issuerLifetime")
    root_lifetime: Lifetime = Field(default=timedelta(days=3_650), alias="rootLifetime")

    @model_validator(mode="after")
    def _outlive_each_other(self) -> Self:
        if not self.lifetime <= self.issuer_lifetime <= self.root_lifetime:
            raise ValueError("lifetime must not be longer than issuerLifetime, nor that than rootLifetime")
        return self
