"""What parts of a snapshot are made of: a strict frozen model, and the forms of names and addresses."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

HostPort = Annotated[str, StringConstraints(pattern=r"^(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):\d{1,5}$")]
_SOCKET = r"unix:/[^\x00]{0,106}"


def _socket_fits(text: str) -> str:
    if text.startswith("unix:") and len(text.removeprefix("unix:").encode()) > 107:
        raise ValueError("the path of a Unix socket has at most 107 bytes")
    return text


Place = Annotated[
    str,
    StringConstraints(pattern=rf"^({_SOCKET}|(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):\d{{1,5}})$"),
    AfterValidator(_socket_fits),
]
"""Where an application listens: `host:port`, or `unix:` and the path of a socket."""
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$")]
ServerName = Annotated[str, StringConstraints(pattern=r"^(\*\.)?[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?$")]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62})?$")]


def _ip_port(text: str) -> str:
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    address = ip_address(host[1:-1] if bracketed else host)
    if bracketed != (address.version == 6) or getattr(address, "scope_id", None) or int(port) > 65_535:
        raise ValueError("expected an IP address and a port, such as 10.0.0.7:5432 or [fd00::7]:5432")
    return text


IpPort = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F:.\[\]]+:\d{1,5}$"), AfterValidator(_ip_port)]
Protocol = Literal["http1", "http2", "tcp", "tls", "detect"]


class Part(BaseModel):
    """Frozen, and nothing unknown accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True)
