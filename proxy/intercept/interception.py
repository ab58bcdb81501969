"""What is to be redirected where, free of the tool that does it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

Family = Literal["ip", "ip6"]
Network = IPv4Network | IPv6Network
LOOPBACK: dict[Family, str] = {"ip": "127.0.0.0/8", "ip6": "::1/128"}


class Unusable(ValueError):
    """An address that redirected connections cannot arrive at; the text says which to use."""


@dataclass(frozen=True)
class Listening:
    """Where the proxy listens."""

    address: IPv4Address | IPv6Address
    port: int

    @classmethod
    def parse(cls, text: str) -> Listening:
        """From `ip:port`, IPv6 in brackets. Raises `Unusable` for anything else."""
        host, _, port = text.rpartition(":")
        try:
            listening = cls(ip_address(host.removeprefix("[").removesuffix("]")), int(port))
        except ValueError:
            raise Unusable(f"{text}: expected ip:port, such as 127.0.0.1:15001 or [::]:15001") from None
        if not 0 < listening.port < 65_536:
            raise Unusable(f"{text}: expected a port between 1 and 65535")
        return listening

    @property
    def families(self) -> tuple[Family, ...]:
        """What can arrive there: a socket at [::] takes IPv4 too."""
        if self.address.version == 4:
            return ("ip",)
        return ("ip", "ip6") if self.address.is_unspecified else ("ip6",)


@dataclass(frozen=True)
class Interception:
    """What is redirected, and what is left alone."""

    user: int
    """Whose connections are left alone: the proxy's."""
    outbound: Listening | None = None
    inbound: Listening | None = None
    app_ports: tuple[int, ...] = ()
    """Connections from other machines to these go to `inbound`."""
    skip_ports: tuple[int, ...] = ()
    skip_networks: tuple[Network, ...] = ()

    def check(self) -> None:
        """Raises `Unusable` where redirected connections would arrive at nobody, or all would."""
        if self.outbound is None and self.inbound is None:
            raise Unusable("nothing to redirect: give the proxy's --outbound, its --inbound, or both")
        if self.outbound and not (self.outbound.address.is_loopback or self.outbound.address.is_unspecified):
            raise Unusable(
                f"--outbound {self.outbound.address}: the kernel redirects local connections to loopback;"
                " let the proxy listen on 127.0.0.1, ::1, 0.0.0.0 or [::]"
            )
        if self.inbound and self.inbound.address.is_loopback:
            raise Unusable(
                f"--inbound {self.inbound.address}: connections from other machines are redirected to the address"
                " of the interface they come by; let the proxy listen on 0.0.0.0 or [::]"
            )
        if bool(self.inbound) != bool(self.app_ports):
            raise Unusable("--inbound and --app-port go together: which connections go to the proxy, and where it is")

    @property
    def guarded_port(self) -> int | None:
        """The port of `outbound` where other machines could reach it, and must not: it is the application's way out."""
        return self.outbound.port if self.outbound and self.outbound.address.is_unspecified else None

    def skipped(self, family: Family) -> list[str]:
        """Networks that nothing is redirected from, on its way to them."""
        version = 4 if family == "ip" else 6
        return [LOOPBACK[family], *(str(network) for network in self.skip_networks if network.version == version)]
