"""The SPIFFE Workload API on a Unix socket, X.509 part.

In: calls of `SpiffeWorkloadAPI` with the header that says they are meant. Out: streams of what is served. Never: an
answer to a call without `workload.spiffe.io: true`, which a web page could be made to send (Workload Endpoint, 5).
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from proxy.workload.served import Served

SERVICE = "SpiffeWorkloadAPI"
_HEADER = ("workload.spiffe.io", "true")
Source = Callable[[], AsyncIterator[bytes]]


async def open_door(path: Path, mode: int, served: Served) -> grpc.aio.Server:
    """A server at a path, with these permissions; raises OSError when nobody can listen there."""
    _make_room(path)
    server = grpc.aio.server()
    methods = {"FetchX509SVID": served.identities, "FetchX509Bundles": served.bundles}
    handlers = {name: grpc.unary_stream_rpc_method_handler(_streaming(source)) for name, source in methods.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    before = os.umask(~mode & 0o777)  # from its first moment on
    try:
        server.add_insecure_port(f"unix:{path}")
    except RuntimeError as error:
        raise OSError(f"{path}: nobody can listen there: {error}") from None
    finally:
        os.umask(before)
    await server.start()
    return server


def _make_room(path: Path) -> None:
    """Removes the socket of a process that is gone: one that is not has it open, and keeps its callers."""
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)


def _streaming(source: Source) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
    async def stream(_: bytes, context: Any) -> AsyncIterator[bytes]:
        if _HEADER not in [tuple(pair) for pair in context.invocation_metadata() or ()]:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the header workload.spiffe.io: true is missing")
        async for message in source():
            yield message

    return stream
