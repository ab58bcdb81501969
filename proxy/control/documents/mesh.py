"""The kind `Mesh`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from proxy.control.documents.authority import AuthoritySpec, TrustDomain
from proxy.control.documents.base import OwnDocument, Spec
from proxy.control.documents.dns import DnsSpec
from proxy.control.documents.limits import LimitsSpec
from proxy.control.documents.telemetry import TelemetrySpec
from proxy.snapshot import Demand, Name

_WEBHOOK = re.compile(r"^((json|alertmanager|slack|pagerduty|teams)\+)?https?://[^\s/]+")


def _webhook(value: str) -> str:
    if not _WEBHOOK.match(value):
        raise ValueError("expected a URL such as https://host/hook, or slack+https://… for another format")
    return value


Webhook = Annotated[str, AfterValidator(_webhook)]


class AlertsSpec(Spec):
    """Who hears of an incident."""

    webhooks: tuple[Webhook, ...] = ()


class OutboundSpec(Spec):
    """What applications may reach otherwise than by HTTP requests to services of the mesh."""

    connect: tuple[Name, ...] = ()
    outside: Literal["allow", "deny"] = "allow"


class AuthorizationSpec(Spec):
    """What AuthorizationPolicies go by."""

    trust_headers: bool = Field(
        default=False, alias="trustHeaders", description="A caller without certificate is who it says it is."
    )


class MeshSpec(Spec):
    telemetry: TelemetrySpec = TelemetrySpec()
    alerts: AlertsSpec = AlertsSpec()
    limits: LimitsSpec = LimitsSpec()
    outbound: OutboundSpec = OutboundSpec()
    authorization: AuthorizationSpec = AuthorizationSpec()
    trust_domain: TrustDomain = Field(default="mesh.local", alias="trustDomain")
    authority: AuthoritySpec | None = Field(default=None, description="Without it nobody has an identity.")
    mtls: Demand = Field(default="off", description="Whether services are called by proved identities only.")
    dns: DnsSpec = DnsSpec()

    @model_validator(mode="after")
    def _identities_have_an_authority(self) -> MeshSpec:
        if self.mtls != "off" and self.authority is None:
            raise ValueError("mtls: nobody has a certificate without spec.authority; add it, {} for all defaults")
        return self


class Mesh(OwnDocument):
    """What holds for the whole mesh; at most one, all defaults without it."""

    kind: Literal["Mesh"]
    spec: MeshSpec = MeshSpec()
