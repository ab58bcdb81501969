"""How TLS is begun to a service outside the mesh."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from proxy.snapshot.parts import Part

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
TlsName = Annotated[
    str, StringConstraints(pattern=rf"^({_LABEL}\.)*[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?$", max_length=253)
]
"""A host name as a certificate has it (RFC 9525)."""
File = Annotated[str, StringConstraints(pattern=r"^/", max_length=4_096)]
"""An absolute path."""


class Origination(Part):
    """PEM files are on the machine of the proxy, read anew when they change."""

    server_name: TlsName
    roots: File | None = Field(default=None, description="None: those that the machine trusts.")
    certificate: File | None = None
    key: File | None = None

    @model_validator(mode="after")
    def _shows_a_pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("key: goes together with a certificate")
        return self
