"""The kind `RequestAuthentication`: whose tokens count at a Service or a Gateway."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from proxy.control.documents.base import OwnDocument, Spec
from proxy.control.documents.filters import EditedName
from proxy.control.documents.key_set import key_set
from proxy.control.documents.route_parts import AnyTarget, HeaderName
from proxy.control.documents.spelling import Milliseconds, MillisecondsOrNone
from proxy.snapshot.authentication import ClaimName, Text


def _written(value: Any) -> Any:
    """A key set may stand in the document as a mapping, or as the text that an issuer gives."""
    return json.dumps(value) if isinstance(value, dict) else value


def _https(value: str) -> str:
    parts = urlsplit(value)
    if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and _is_here(parts.hostname))):
        raise ValueError(
            "expected an https URL (http on this machine only): who can change keys on the way signs tokens"
        )
    return value


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


WrittenKeys = Annotated[
    str, BeforeValidator(_written, json_schema_input_type=dict[str, Any] | str), AfterValidator(key_set)
]
KeysUrl = Annotated[str, AfterValidator(_https)]


class ClaimHeader(Spec):
    """A header that tells the application a claim; what callers write into it is removed."""

    header: EditedName
    claim: ClaimName


class IssuerSpec(Spec):
    """Whoever signs tokens, where its keys are, for whom its tokens have to be, and what becomes of what they say."""

    issuer: Text
    audiences: tuple[Text, ...] = Field(default=(), max_length=64)
    jwks: WrittenKeys | None = None
    jwks_url: KeysUrl | None = Field(default=None, alias="jwksUrl")
    refresh: Annotated[Milliseconds, Field(ge=1_000)] = 300_000
    leeway: Annotated[MillisecondsOrNone, Field(le=3_600_000)] = 60_000
    header: HeaderName = "authorization"
    forward: bool = True
    claim_headers: tuple[ClaimHeader, ...] = Field(default=(), alias="claimHeaders", max_length=64)

    @model_validator(mode="after")
    def _has_keys(self) -> IssuerSpec:
        if (self.jwks is None) == (self.jwks_url is None):
            raise ValueError("expected jwks or jwksUrl")
        return self


class RequestAuthenticationSpec(Spec):
    target_ref: AnyTarget | None = Field(default=None, alias="targetRef")
    required: bool = False
    issuers: tuple[IssuerSpec, ...] = Field(min_length=1, max_length=64)


class RequestAuthentication(OwnDocument):
    """A token that a request has must be sound, and policies can go by what it says."""

    kind: Literal["RequestAuthentication"]
    spec: RequestAuthenticationSpec

    @property
    def concerns(self) -> str:
        """The Service or Gateway that it is for; empty: all those of its namespace."""
        return self.spec.target_ref.full_name(self) if self.spec.target_ref else ""

    def is_for(self, name: str, namespace: str) -> bool:
        """Whether it is for the Service or Gateway of this full name and namespace."""
        return self.concerns == name if self.spec.target_ref else self.metadata.namespace == namespace
