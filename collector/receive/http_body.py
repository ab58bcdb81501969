"""What receivers over HTTP do alike: know the sender, and read the body within its bounds, as it was sent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from collector.errors import Malformed, TooLarge, TooSlow
from collector.receive.budget import Share
from collector.receive.tenants import Tenant, Tenants
from collector.tls import identities


def sender(tenants: Tenants, request: web.Request) -> Tenant:
    """Raises Unauthenticated."""
    certificate = request.transport.get_extra_info("peercert") if request.transport else None
    return tenants.admit(request.headers.get("Authorization"), identities(certificate))


@dataclass(frozen=True)
class Bounds:
    """Of one body as sent: bytes, and seconds from its first to its last."""

    size: int
    seconds: float


async def read_body(request: web.Request, bounds: Bounds, share: Share) -> bytes:
    """The body as sent. Raises TooLarge, TooSlow, Overloaded, Malformed; stops reading at the bounds.

    A sender that never ends would keep its share of the memory from all others.
    """
    try:
        async with asyncio.timeout(bounds.seconds):
            return await _read(request, bounds.size, share)
    except TimeoutError:
        raise TooSlow(f"the body was not there after {bounds.seconds:g} s: send smaller batches") from None


async def _read(request: web.Request, limit: int, share: Share) -> bytes:
    told = request.content_length
    if told is not None:
        _check_size(told, limit)
        share.add(told)
    chunks, size = [], 0
    try:
        async for chunk in request.content.iter_any():
            size += len(chunk)
            _check_size(size, limit)
            if told is None:
                share.add(len(chunk))
            chunks.append(chunk)
    except web.RequestPayloadError as error:
        raise Malformed(f"the body ended early: {error}") from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge(f"the body is more than {limit} bytes: send smaller batches")
