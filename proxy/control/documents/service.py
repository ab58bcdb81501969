"""The kind `Service`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from proxy.control.documents.base import OwnDocument, Spec
from proxy.control.documents.health import HealthSpec
from proxy.control.documents.origination import OriginationSpec, one_host
from proxy.control.documents.spelling import Address, Milliseconds, Place
from proxy.snapshot import Demand, IpPort, Label, Name, Protocol, ServerName

SrvName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]([a-z0-9_.-]{0,250}[a-z0-9])?$")]


class ListenerSpec(Spec):
    """An address of the proxy that means one service; without one, the service that a TLS client names."""

    listen: Address
    service: Name | None = None


class SidecarSpec(Spec):
    """Addresses of the proxy beside one instance, and whether others share it."""

    inbound: Address
    outbound: Address
    admin: Address
    listeners: tuple[ListenerSpec, ...] = ()
    transparent: bool = False
    node: Name | None = Field(default=None, description="One proxy for all instances that name the same node.")


class RunSpec(Spec):
    """How `whymesh up` starts the application; other ways of starting it need none of this."""

    command: tuple[str, ...] = Field(min_length=1)
    env: dict[str, str] = {}
    directory: Path | None = None


class EndpointSpec(Spec):
    """One instance of a service."""

    instance: Name
    version: Label = "v1"
    zone: Label | None = None
    app: Place
    address: Address | None = Field(default=None, description="How other proxies reach it, when not directly.")
    host: Label | None = Field(default=None, description="Its machine: loopback is compared within one only.")
    ready: bool = Field(default=True, description="Whether it is called; its proxy is told what to do all the same.")
    sidecar: SidecarSpec | None = None
    run: RunSpec | None = None

    @model_validator(mode="after")
    def _is_reachable(self) -> Self:
        if self.app.startswith("unix:") and not (self.address or self.sidecar):
            raise ValueError("app: a Unix socket is reached through a sidecar only; give this instance one")
        return self

    @property
    def reachable_at(self) -> str:
        """The address the other proxies connect to."""
        return self.address or (self.sidecar.inbound if self.sidecar else self.app)


class ServiceSpec(Spec):
    protocol: Protocol = "http1"
    port: int = Field(default=80, gt=0, lt=65_536)
    timeout: Milliseconds = 15_000
    connect_timeout: Milliseconds = Field(default=1_000, alias="connectTimeout")
    server_names: tuple[ServerName, ...] = Field(default=(), alias="serverNames")
    addresses: tuple[IpPort, ...] = ()
    endpoints: tuple[EndpointSpec, ...] = ()
    srv: SrvName | None = Field(default=None, description="The SRV record whose targets are instances too.")
    health: HealthSpec | None = None
    calls: tuple[Name, ...] | None = Field(default=None, description="The Services it calls; without it, any.")
    mtls: Demand | None = Field(default=None, description="Asked of its callers; without it, what the Mesh says.")
    egress: Name | None = Field(default=None, description="The Gateway, by its full name, that leads to it.")
    tls: OriginationSpec | None = Field(default=None, description="It is outside the mesh, and takes TLS.")

    @model_validator(mode="after")
    def _is_outside(self) -> Self:
        if self.egress is None:
            return self
        if self.protocol not in ("http1", "http2"):
            raise ValueError(f"egress: is for http1 and http2, not for {self.protocol}")
        if beside := next((endpoint.instance for endpoint in self.endpoints if endpoint.sidecar), None):
            raise ValueError(f"egress: leads out of the mesh, and {beside} has a sidecar in it")
        return self

    @model_validator(mode="after")
    def _takes_tls(self) -> Self:
        if self.tls is None:
            return self
        if self.protocol not in ("http1", "http2", "tcp"):
            raise ValueError(f"tls: is for http1, http2 and tcp, not for {self.protocol}")
        if beside := next((endpoint.instance for endpoint in self.endpoints if endpoint.sidecar), None):
            raise ValueError(f"tls: is for what is outside the mesh, and {beside} has a sidecar in it")
        if self.health and (self.health.http or self.health.grpc):
            raise ValueError("tls: health is asked for in the clear; use health.tcp")
        if self.tls_name is None:
            raise ValueError("tls.serverName: is needed where the endpoints are not all of one host name")
        return self

    @property
    def tls_name(self) -> str | None:
        """The name that its certificate has to be for: the one that is given, else the host of its endpoints."""
        given = self.tls and self.tls.server_name
        return given or one_host(endpoint.reachable_at for endpoint in self.endpoints)


class Service(OwnDocument):
    """A service of the mesh and the instances that serve it."""

    kind: Literal["Service"]
    spec: ServiceSpec = ServiceSpec()

    @property
    def concerns(self) -> str:
        """Itself."""
        return self.full_name

    @property
    def authorities(self) -> tuple[str, ...]:
        """What callers may write for it: with and without namespace; the bare host only where the port is 80."""
        port = self.spec.port
        with_port = tuple(f"{host}:{port}" for host in self.hosts)
        return (*self.hosts, *with_port) if port == 80 else with_port

    @property
    def hosts(self) -> tuple[str, ...]:
        """Its names, whatever the port."""
        name, namespace = self.metadata.name, self.metadata.namespace
        full = (f"{name}.{namespace}", f"{name}.{namespace}.mesh")
        return (name, *full) if namespace == "default" else full

    @property
    def server_names(self) -> tuple[str, ...]:
        """TLS server names that mean it: none where its proxy cannot pass TLS on."""
        return (*self.hosts, *self.spec.server_names) if self.spec.protocol in ("tls", "detect") else ()
