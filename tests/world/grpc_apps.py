"""A gRPC service of plain bytes by grpcio, and calls to it: one answer, many, and both sides at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc

SERVICE = "shop.v1beta1.Cart2"
"""A name that looks like an identifier to whoever takes it for a path."""


class _Handlers:
    def __init__(self, failing: bool) -> None:
        self._failing = failing

    async def add(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        """Echoes; `code:N` ends the call with that code before anything is said, `left` answers the milliseconds that
        are left for the call, `hang` nothing."""
        if self._failing:
            request = b"code:14"
        if request == b"left":
            return b"%d" % (context.time_remaining() * 1_000)
        if request == b"hang":
            await asyncio.Event().wait()
        if request.startswith(b"code:"):
            number = int(request.removeprefix(b"code:"))
            code = next(code for code in grpc.StatusCode if code.value[0] == number)
            await context.abort(code, "as the test wants")
        return request

    async def watch(self, request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        """Says as many pieces as asked for; `!` at the end of the request makes the call fail after the last."""
        for number in range(int(request.rstrip(b"!"))):
            yield b"%d" % number
        if request.endswith(b"!"):
            await context.abort(grpc.StatusCode.DATA_LOSS, "after the last")

    async def talk(self, requests: AsyncIterator[bytes], _: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        """Answers each piece as it comes."""
        async for piece in requests:
            yield piece.upper()


@contextlib.asynccontextmanager
async def grpc_app(failing: bool = False) -> AsyncIterator[str]:
    """The service on a port of its own; yields its host:port. One that fails answers `Add` with UNAVAILABLE."""
    server, cart = grpc.aio.server(), _Handlers(failing)
    handlers = {
        "Add": grpc.unary_unary_rpc_method_handler(cart.add),
        "Watch": grpc.unary_stream_rpc_method_handler(cart.watch),
        "Talk": grpc.stream_stream_rpc_method_handler(cart.talk),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@contextlib.asynccontextmanager
async def channel(address: str, authority: str) -> AsyncIterator[grpc.aio.Channel]:
    """Calls to `authority` through whatever listens at host:port."""
    options = [("grpc.default_authority", authority), ("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0)]
    async with grpc.aio.insecure_channel(address, options=options) as opened:
        yield opened


async def add(channel: grpc.aio.Channel, message: bytes, patience_s: float = 10) -> bytes:
    """A call with one answer; raises grpc.aio.AioRpcError."""
    answer: bytes = await channel.unary_unary(f"/{SERVICE}/Add")(message, timeout=patience_s)
    return answer


async def watch(channel: grpc.aio.Channel, message: bytes) -> list[bytes]:
    """A call with many answers; raises grpc.aio.AioRpcError."""
    return [piece async for piece in channel.unary_stream(f"/{SERVICE}/Watch")(message, timeout=10)]
