"""One request as it came in by a door, and what its sender is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from collector.receive.signals import Signal

# How a body is compressed: content codings of HTTP by name.
Coding = Literal["identity", "gzip", "zstd"]


@dataclass(frozen=True)
class Form:
    """How the sender wrote the body; `own`: the collector's own spans; `batch`: 16 bytes, the same at each attempt."""

    json: bool = False
    coding: Coding = "identity"
    own: bool = False
    batch: bytes = b""


@dataclass(frozen=True)
class Request:
    """A body as it came, with all that is needed to encode it again later to the same rows.

    `verdict`: what tail sampling decided of each span; without one all are kept.
    """

    signal: Signal
    body: bytes
    form: Form
    received_ns: int
    verdict: bytes | None = None


@dataclass(frozen=True)
class Taken:
    """What the answer says: how many items were rejected, and why."""

    rejected: int = 0
    message: str = ""
