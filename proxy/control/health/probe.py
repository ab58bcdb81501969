"""Asks one instance once how it is.

In: a check, an address. Out: what is wrong, None when nothing is. Never: an exception, or longer than the timeout.
"""

from __future__ import annotations

import asyncio
import os

import aiohttp

from proxy.control.documents.health import HealthSpec, HttpCheck
from proxy.control.health.grpc_probe import ask_grpc


async def ask(spec: HealthSpec, place: str) -> str | None:
    """What is wrong with who listens at `place` (host:port or unix:/path); None when nothing is."""
    timeout_s = spec.timeout / 1_000
    try:
        async with asyncio.timeout(timeout_s):
            if spec.http:
                return await _http(spec.http, place)
            if spec.grpc:
                return await ask_grpc(spec.grpc, place, timeout_s)
            return await _tcp(place)
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except (OSError, aiohttp.ClientError) as error:
        return _cause(error)


async def _http(check: HttpCheck, place: str) -> str | None:
    path = place.removeprefix("unix:")
    connector = aiohttp.UnixConnector(path) if path != place else aiohttp.TCPConnector(force_close=True)
    authority = "localhost" if path != place else place
    headers = {"User-Agent": "whymesh-health"} | ({"Host": check.host} if check.host else {})
    async with (
        aiohttp.ClientSession(connector=connector, headers=headers) as session,
        session.get(f"http://{authority}{check.path}", allow_redirects=False) as answer,
    ):
        return None if check.takes(answer.status) else f"answered {answer.status} to GET {check.path}"


async def _tcp(place: str) -> str | None:
    if place.startswith("unix:"):
        _, writer = await asyncio.open_unix_connection(place.removeprefix("unix:"))
    else:
        host, _, port = place.rpartition(":")
        _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    writer.transport.abort()  # nothing was said, so there is nothing to wait for
    return None


def _cause(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number and number > 0 else str(error) or type(error).__name__
