"""How a proxy reaches a control plane over TLS: by what it knows it, and what it shows of itself.

In: roots of the mesh in a file or the fingerprint of one, those that snapshots name since, a certificate once there is
one. Out: connections of the engine's (this process imports no TLS of its own: docs/adr/005). Never: a key or a token
sent to anybody else.
"""

from __future__ import annotations

import contextlib
import io
import re
from binascii import Error, a2b_base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from proxy._engine import Channel

if TYPE_CHECKING:
    from proxy._engine import Key

Shown = tuple["Key", list[bytes]]
_PIN = re.compile(r"sha256:([0-9a-fA-F]{64})")
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@dataclass
class Anchors:
    """`given` is a file of roots in PEM, or `sha256:` and the fingerprint of one."""

    given: str
    learned: tuple[bytes, ...] = ()
    """Roots that the last snapshot names, in DER: they follow rotations."""
    shows: Callable[[], Shown | None] = lambda: None
    """The certificate to show, while there is one that is valid."""
    token: Callable[[], str] = lambda: ""
    """What to join with, for as long as there is none."""

    def learn(self, roots: list[str]) -> None:
        """Takes the roots of a snapshot (DER in base64)."""
        self.learned = tuple(a2b_base64(root) for root in roots)

    def headers(self) -> dict[str, str]:
        """What says who this proxy is when it has no certificate to show; raises OSError."""
        try:
            token = "" if self.shows() else self.token()
        except ValueError as error:
            raise OSError(str(error)) from None
        return {"Authorization": f"Bearer {token}"} if token else {}

    @contextlib.contextmanager
    def dial(self, host: str, port: int, timeout_s: float) -> Iterator[tuple[Callable[[bytes], Any], IO[bytes]]]:
        """What sends, and what answers, over one connection; raises OSError."""
        pin = _PIN.fullmatch(self.given)
        try:
            roots = [*self.learned, *([] if pin else _roots(Path(self.given)))]
            channel = Channel(host, port, roots, bytes.fromhex(pin[1]) if pin else None, self.shows(), timeout_s)
        except ValueError as error:
            raise OSError(f"--control-root {self.given}: {error}") from None
        with io.BufferedReader(_Answer(channel)) as answer:
            yield channel.send, answer


class _Answer(io.RawIOBase):
    """What comes over a channel, as a file."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        data = self._channel.read(len(into))
        into[: len(data)] = data
        return len(data)


def _roots(path: Path) -> list[bytes]:
    """Certificates in PEM (RFC 7468), as DER; raises OSError, ValueError."""
    parts = path.read_text().split(_BEGIN)[1:]
    if not parts:
        raise ValueError("there is no certificate in PEM in it")
    try:
        return [a2b_base64(part.partition(_END)[0]) for part in parts]
    except Error as error:
        raise ValueError(f"is no certificate in PEM: {error}") from None
