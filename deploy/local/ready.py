"""Waits until something listens and says it is ready.

In: `http://…` (ready at the first 200), `tcp://host:port` or `unix:/path` (when it accepts). Out: nothing, once so.
"""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 0.25


async def until_ready(url: str) -> None:
    """Polls until ready, for ever: the caller sets the time limit. An empty URL is ready at once."""
    pause = FIRST_PAUSE_S
    while url and not await _answers(url):
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_S)


async def _answers(url: str) -> bool:
    """One attempt, over a bare socket: a probe needs no HTTP client (HTTP/1.0, so without keep-alive)."""
    parts = urlsplit(url)
    try:
        if parts.scheme == "unix":
            reader, writer = await asyncio.open_unix_connection(parts.path)
        else:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except OSError:
        return False
    try:
        if parts.scheme in ("tcp", "unix"):
            return True
        writer.write(f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
        status = await asyncio.wait_for(reader.readline(), timeout=2.0)
        return status.split(b" ")[1:2] == [b"200"]
    except (OSError, TimeoutError, ValueError):
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
