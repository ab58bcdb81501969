"""One HTTP request over a connection of its own, and the answer as lines.

In: host, port, path. Out: status and the body's stream. Speaks HTTP/1.0, so that a body is never chunked and ends with
its connection. Never: redirects, or TLS but by `dial`; `http.client` imports what both need, a quarter of a sidecar's
memory (docs/adr/005).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

_LONGEST_LINE = 8 * 1024
_MOST_HEADERS = 100


Open = tuple[Callable[[bytes], Any], IO[bytes]]
"""What sends, and what answers."""
Dial = Callable[[str, int, float], contextlib.AbstractContextManager[Open]]


class NotHttp(OSError):
    """What came back is no HTTP answer."""


@contextlib.contextmanager
def dial_plain(host: str, port: int, timeout_s: float) -> Iterator[Open]:
    """A connection in the clear; raises OSError."""
    with (
        socket.create_connection((host, port), timeout=timeout_s) as connection,
        connection.makefile("rb") as answer,
    ):
        yield connection.sendall, answer


@contextlib.contextmanager
def asked(
    method: str,
    host: str,
    port: int,
    path: str,
    timeout_s: float,
    json_body: str | None = None,
    headers: Mapping[str, str] | None = None,
    dial: Dial = dial_plain,
) -> Iterator[tuple[int, IO[bytes]]]:
    """Status and body of one answer, open while the block runs; raises OSError when there is none within `timeout_s`.

    The timeout holds for each read, so that a stream may stay open for as long as something comes.
    """
    with dial(host, port, timeout_s) as (send, answer):
        where = f"[{host}]" if ":" in host else host
        send(_request(method, where, port, path, json_body, headers or {}))
        yield _status(answer), answer


def _request(method: str, host: str, port: int, path: str, json_body: str | None, headers: Mapping[str, str]) -> bytes:
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"{method} {path} HTTP/1.0\r\nHost: {host}:{port}\r\n{more}"
    if json_body is None:
        return f"{head}\r\n".encode("ascii")
    body = json_body.encode()
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode("ascii") + body


def _status(answer: IO[bytes]) -> int:
    """Reads the head; what the headers say does not matter here."""
    line = answer.readline(_LONGEST_LINE)
    match line.split(maxsplit=2):
        case [version, code, *_] if version.startswith(b"HTTP/1.") and code.isdigit():
            status = int(code)
        case _:
            raise NotHttp(f"answered {line[:60]!r}, which is not HTTP")
    for _ in range(_MOST_HEADERS):
        if not answer.readline(_LONGEST_LINE).strip():
            return status
    raise NotHttp("answered too many headers")
