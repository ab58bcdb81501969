"""Whose tokens count."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from proxy.snapshot.parts import Part
from proxy.snapshot.routes import HeaderName

Text = Annotated[str, StringConstraints(min_length=1, max_length=2_048)]
ClaimName = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Issuer(Part):
    """Whoever signs tokens, for whom, and what becomes of what they say."""

    issuer: Text = Field(description="`iss` of its tokens.")
    audiences: tuple[Text, ...] = Field(default=(), max_length=64, description="One of `aud`; none: for anyone.")
    jwks: str | None = Field(default=None, description="A JSON Web Key Set (RFC 7517); None: not fetched yet.")
    leeway_s: int = Field(default=60, ge=0, le=3_600, description="By how much clocks may differ.")
    header: HeaderName = "authorization"
    forward: bool = Field(default=True, description="The application gets the token too.")
    claim_headers: tuple[tuple[HeaderName, ClaimName], ...] = Field(default=(), max_length=64)


class Tokens(Part):
    """A token that a request has must be sound; whether it needs one is `required`, or up to the policies."""

    required: bool = False
    issuers: tuple[Issuer, ...] = Field(min_length=1, max_length=64)
