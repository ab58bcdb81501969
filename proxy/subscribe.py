"""Follows one proxy's snapshot stream of the control plane, for as long as the process lives.

In: newline-delimited JSON over HTTP. Out: snapshots as JSON text and traces to flush, in order.
Standard library only: a sidecar stays small.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from proxy.plain_http import Dial, asked, dial_plain

if TYPE_CHECKING:
    from proxy.anchors import Anchors

log = logging.getLogger("whymesh.proxy")

_FLUSH = '{"flush":'
_SILENCE_S = 10.0
_ACK_TIMEOUT_S = 2.0
_LONGEST_REFUSAL = 4096
_MOST_PROBLEMS, _LONGEST_PROBLEM = 32, 500
_IDENTITY_TIMEOUT_S = 10.0
_LONGEST_IDENTITY = 256 * 1024
_LONGEST_PAUSE_S = 3.0
_LONGEST_SNAPSHOT = 64 * 1024 * 1024
_PORTS = {"http": 7460, "https": 7461}


@dataclass(frozen=True)
class Flush:
    """Traces to send what is kept of."""

    traces: list[str]


class ControlPlane:
    """The control plane as one proxy sees it, at one of the addresses of `url`; `stop` ends every wait."""

    def __init__(self, url: str, proxy: str, stop: threading.Event, anchors: Anchors | None = None) -> None:
        """`anchors` are for addresses with https; raises ValueError where they are missing."""
        self._places = deque(_place(one.strip()) for one in url.split(","))
        self.anchors = anchors
        if anchors is None and any(place.secure for place in self._places):
            raise ValueError(f"--control {url}: name the roots by which it is known: --control-root FILE or sha256:…")
        self._path = f"/v1/snapshots/{quote(proxy, safe='')}"
        self.proxy, self._stop = proxy, stop
        self.connected = False

    def messages(self) -> Iterator[str | Flush]:
        """Yields each snapshot and flush as it comes, reconnecting with growing, jittered pauses; ends when stopped."""
        pause_s = 0.1
        while not self._stop.is_set():
            try:
                for line in self._stream():
                    pause_s = 0.1
                    yield Flush(json.loads(line)["flush"]) if line.startswith(_FLUSH) else line
            except OSError as error:
                log.warning("control plane %s: %s; trying again", self._places[0], error or type(error).__name__)
            self.connected = False
            self._places.rotate(-1)
            self._stop.wait(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  (jitter is not a secret)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def acknowledge(self, epoch: int, accepted: bool, reason: str = "", problems: Sequence[str] = ()) -> bool:
        """Tells the control plane what became of a snapshot, and what is wrong with it; False when it did not hear."""
        told = [one[:_LONGEST_PROBLEM] for one in problems[:_MOST_PROBLEMS]]
        body = json.dumps({"epoch": epoch, "accepted": accepted, "reason": reason[:4096], "problems": told})
        try:
            with self._asked("POST", f"{self._path}/ack", _ACK_TIMEOUT_S, body) as (status, answer):
                if status >= 300:
                    raise Refused(answer)
        except OSError as error:
            log.warning("control plane did not hear of epoch %d: %s", epoch, error)
            return False
        return True

    def tell(self, method: str, path: str, body: str | None = None, token: str = "") -> tuple[int, str]:
        """Status and body of one request; raises OSError when the control plane is away."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with self._asked(method, path, _ACK_TIMEOUT_S, body, headers) as (status, answer):
            return status, answer.read(_LONGEST_REFUSAL).decode(errors="replace").strip()

    def identity(self, wish: str) -> dict[str, Any]:
        """The authority's answer to a wish for a certificate, be it a refusal; raises OSError, ValueError."""
        path = f"/v1/identities/{quote(self.proxy, safe='')}"
        with self._asked("POST", path, _IDENTITY_TIMEOUT_S, wish, {}) as (_, answer):
            said = json.loads(answer.read(_LONGEST_IDENTITY))
        if not isinstance(said, dict):
            raise ValueError("the control plane's answer is no identity")
        return said

    def flush(self, traces: list[str]) -> bool:
        """Has every proxy send what it keeps of these traces; False when the control plane did not hear of it."""
        try:
            body = json.dumps({"traces": traces})
            with self._asked("POST", "/v1/flush", _ACK_TIMEOUT_S, body) as (status, answer):
                if status >= 300:
                    raise Refused(answer)
        except OSError as error:
            log.warning("control plane did not hear of %d traces to flush: %s", len(traces), error)
            return False
        return True

    @contextlib.contextmanager
    def _asked(
        self, method: str, path: str, timeout_s: float, body: str | None = None, headers: dict[str, str] | None = None
    ) -> Iterator[tuple[int, IO[bytes]]]:
        """One request to the place that is in use; without `headers` it says who this proxy is, where that is asked."""
        place = self._places[0]
        dial: Dial = dial_plain
        if place.secure and self.anchors is not None:
            dial = self.anchors.dial
            headers = self.anchors.headers() if headers is None else headers
        with asked(method, place.host, place.port, path, timeout_s, body, headers, dial) as answered:
            yield answered

    def _stream(self) -> Iterator[str]:
        """One connection's worth; a stream silent for longer than heartbeats allow counts as broken."""
        with self._asked("GET", self._path, _SILENCE_S) as (status, stream):
            if status != 200:
                raise Refused(stream)
            self.connected = True
            while not self._stop.is_set():
                line = stream.readline(_LONGEST_SNAPSHOT)
                if not line.endswith(b"\n"):  # the end, perhaps in the middle of a snapshot
                    return
                if text := line.decode().strip():
                    yield text


class Refused(OSError):
    """The control plane answered, and the answer is no; its words are the message."""

    def __init__(self, answer: IO[bytes]) -> None:
        super().__init__(answer.read(_LONGEST_REFUSAL).decode(errors="replace").strip())


@dataclass(frozen=True)
class _Place:
    """Where one control plane is."""

    host: str
    port: int
    secure: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _place(url: str) -> _Place:
    """Of an address; raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"--control {url}: expected http://host:port or https://…, or several with commas between")
    return _Place(parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme == "https")
