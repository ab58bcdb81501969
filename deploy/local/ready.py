"""Waits until something listens and says it is ready.

In: `http://…` (ready at the first 200), `https://…` with the file of roots by which it is known, `tcp://host:port` or
`unix:/path` (when it accepts). Out: nothing, once so.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 0.25
ANSWER_S = 2.0


async def until_ready(url: str, root: Path | None = None) -> None:
    """Polls until ready, for ever: the caller sets the time limit. An empty URL is ready at once; a `root` that is not
    there yet will be."""
    pause = FIRST_PAUSE_S
    while url and not await _answers(url, root):
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_S)


async def _answers(url: str, root: Path | None) -> bool:
    """One attempt, over a bare socket: a probe needs no HTTP client (HTTP/1.0, so without keep-alive)."""
    parts = urlsplit(url)
    try:
        if parts.scheme == "unix":
            reader, writer = await asyncio.open_unix_connection(parts.path)
        else:
            tls = _known_by(root) if parts.scheme == "https" else {}
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port, **tls)
    except OSError:
        return False
    try:
        if parts.scheme in ("tcp", "unix"):
            return True
        writer.write(f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
        status = await asyncio.wait_for(reader.readline(), timeout=ANSWER_S)
        return status.split(b" ")[1:2] == [b"200"]
    except (OSError, TimeoutError, ValueError):
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _known_by(root: Path | None) -> dict[str, Any]:
    """Options of a connection over TLS; raises OSError."""
    context = ssl.create_default_context(cafile=root)
    return {"ssl": context, "ssl_handshake_timeout": ANSWER_S, "ssl_shutdown_timeout": ANSWER_S}
