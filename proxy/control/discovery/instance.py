"""One instance as it registers itself."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Self

from pydantic import Field, field_validator, model_validator

from proxy.control.documents import EndpointSpec, SidecarSpec
from proxy.control.documents.base import Spec
from proxy.control.documents.spelling import Address, Milliseconds, Place
from proxy.snapshot import Label, Name

_SHORTEST_LEASE_MS = 1_000


class Registration(Spec):
    """What `POST /v1/instances` says: an endpoint of a written Service, for as long as its lease is renewed."""

    service: Name = Field(description="The Service by its full name.")
    instance: Name
    app: Place
    address: Address | None = None
    version: Label = "v1"
    zone: Label | None = None
    host: Label | None = Field(default=None, description="Its machine: loopback is compared within one only.")
    sidecar: SidecarSpec | None = None
    lease: Milliseconds = 30_000

    @field_validator("lease")
    @classmethod
    def _can_be_renewed(cls, lease: int) -> int:
        if lease < _SHORTEST_LEASE_MS:
            raise ValueError("expected a lease of 1s or more")
        return lease

    @model_validator(mode="after")
    def _stands_alone(self) -> Self:
        if self.sidecar and self.sidecar.node:
            raise ValueError("sidecar.node: instances that share a proxy are written in the configuration")
        self.endpoint  # noqa: B018  (an endpoint has rules of its own)
        return self

    @cached_property
    def endpoint(self) -> EndpointSpec:
        """The same as a Service lists it; raises ValidationError when it is none."""
        return EndpointSpec(
            instance=self.instance,
            version=self.version,
            zone=self.zone,
            app=self.app,
            address=self.address,
            host=self.host,
            sidecar=self.sidecar,
        )

    def written(self) -> str:
        """The registration as JSON that `Registration` reads again."""
        return json.dumps(self.model_dump(mode="json", by_alias=True) | {"lease": f"{self.lease}ms"})
