"""The kind `Gateway` of the Gateway API: where clients outside the mesh reach services of it.

The shape is the Gateway API's (gateway-api.sigs.k8s.io, v1); `admin`, `version`, `zone`, `limits`, `egress`,
`trace` and `trustedHops` are ours.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from pydantic import Field, model_validator

from proxy.control.documents.base import Document, Spec
from proxy.control.documents.limits import LimitsSpec
from proxy.control.documents.spelling import Address
from proxy.snapshot import File, Label, Name, ServerName


class GatewayAddress(Spec):
    """An address of the machine that it runs on."""

    type: Literal["IPAddress"] = "IPAddress"
    value: IPv4Address | IPv6Address = IPv4Address("127.0.0.1")

    def at(self, port: int) -> str:
        """The same with a port."""
        host = f"[{self.value}]" if self.value.version == 6 else str(self.value)
        return f"{host}:{port}"


class RouteNamespaces(Spec):
    """Of which namespaces routes may attach themselves."""

    whose: Literal["Same", "All"] = Field(default="Same", alias="from")


class AllowedRoutes(Spec):
    namespaces: RouteNamespaces = RouteNamespaces()


class ListenerTls(Spec):
    """What clients are shown: PEM files on the machine of the gateway, read anew when they change (ours)."""

    mode: Literal["Terminate"] = "Terminate"
    certificate: File
    key: File


class GatewayListener(Spec):
    """Requests at one port for one host, for every host of a domain (`*.example.com`), or for any."""

    name: Name
    hostname: ServerName | None = None
    port: int = Field(gt=0, lt=65_536)
    protocol: Literal["HTTP", "HTTPS"] = "HTTP"
    tls: ListenerTls | None = None
    allowed_routes: AllowedRoutes = Field(default=AllowedRoutes(), alias="allowedRoutes")

    @model_validator(mode="after")
    def _encrypts_with_a_certificate(self) -> GatewayListener:
        if self.protocol == "HTTPS" and self.tls is None:
            raise ValueError("tls: protocol HTTPS needs a certificate and its key")
        if self.protocol == "HTTP" and self.tls is not None:
            raise ValueError("tls: means nothing with protocol HTTP; write HTTPS")
        return self


class GatewaySpec(Spec):
    gateway_class_name: Literal["whymesh"] = Field(default="whymesh", alias="gatewayClassName")
    addresses: tuple[GatewayAddress, ...] = Field(default=(GatewayAddress(),), min_length=1)
    listeners: tuple[GatewayListener, ...] = Field(min_length=1)
    admin: Address | None = Field(default=None, description="Of its proxy; `whymesh up` starts it where this is given.")
    version: Label = "v1"
    zone: Label | None = None
    limits: LimitsSpec | None = Field(default=None, description="In the place of those of the Mesh.")
    egress: bool = Field(default=False, description="It leads out of the mesh, to Services that name it.")
    trace: Literal["Restart", "Continue"] = "Restart"
    trusted_hops: int = Field(default=0, ge=0, le=32, alias="trustedHops")

    @model_validator(mode="after")
    def _tells_listeners_apart(self) -> GatewaySpec:
        names = [listener.name for listener in self.listeners]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"listeners: two are called {repeated[0]}")
        spoken = {listener.port: listener.protocol for listener in self.listeners}
        if mixed := next((one for one in self.listeners if spoken[one.port] != one.protocol), None):
            raise ValueError(f"listeners: at port {mixed.port} some are HTTPS and some are not")
        places = [(listener.port, listener.hostname) for listener in self.listeners]
        if taken := next((place for place in places if places.count(place) > 1), None):
            raise ValueError(f"listeners: two are for port {taken[0]} and hostname {taken[1] or 'any'}")
        return self

    @model_validator(mode="after")
    def _leads_one_way(self) -> GatewaySpec:
        if not self.egress:
            return self
        if {"trace", "trusted_hops"} & self.model_fields_set:
            raise ValueError("trace and trustedHops: are about clients outside the mesh; with egress there are none")
        if len(self.listeners) > 1 or self.listeners[0].hostname:
            raise ValueError("listeners: with egress there is one, for any host; the Services that name it say which")
        if self.listeners[0].protocol != "HTTP":
            raise ValueError("listeners: with egress the proxies of the mesh come in, who encrypt by spec.mtls alone")
        if any(address.value.is_unspecified for address in self.addresses):
            raise ValueError("addresses: with egress they are what the proxies connect to; 0.0.0.0 and :: are nowhere")
        return self


class Gateway(Document):
    """One proxy that no application stands beside, and what it listens for."""

    api_version: Literal["gateway.networking.k8s.io/v1"] = Field(alias="apiVersion")
    kind: Literal["Gateway"]
    spec: GatewaySpec

    @property
    def concerns(self) -> str:
        """Itself: its spans are those of a service of this name."""
        return self.full_name

    @property
    def listens_at(self) -> dict[str, tuple[GatewayListener, ...]]:
        """Its listeners by the addresses that are open for them."""
        ports = dict.fromkeys(listener.port for listener in self.spec.listeners)
        return {
            address.at(port): tuple(listener for listener in self.spec.listeners if listener.port == port)
            for address in self.spec.addresses
            for port in ports
        }
