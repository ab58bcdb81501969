"""OTLP/gRPC: Export of the trace, metrics and logs services, messages taken as raw bytes, plain or gzip.

In: messages. Out: answers, errors as status codes with google.rpc.Status details.
Source: OTLP specification 1.x, "OTLP/gRPC". Only errors with RetryInfo ask a sender to try again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator

# gRPC's core would write lines of its own to stderr; it reads this once, as it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from collector.errors import (
    CannotListen,
    CollectorError,
    Malformed,
    Overloaded,
    OverQuota,
    Retryable,
    TooLarge,
    TooSlow,
    Unauthenticated,
)
from collector.ingest import Ingest
from collector.receive.budget import Budget
from collector.receive.grpc_tls import credentials
from collector.receive.repeats import BATCH_HEADER, batch_id
from collector.receive.request import Form
from collector.receive.signals import Signal
from collector.receive.tenants import Tenants
from collector.tls import Tls

_Export = Callable[[object, "grpc.aio.ServicerContext"], Awaitable[bytes]]
# Connections that say nothing, or have nobody at their other end any more, go; pings more often than gRPC allows
# (every five minutes, or with each call) end a connection by its own rule.
_CONNECTIONS = (
    ("grpc.server_handshake_timeout_ms", 20_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_connection_idle_ms", 600_000),
)


class GrpcReceiver:
    """One gRPC server with the three services; at most `calls` run at one time, over all connections.

    A call runs from its head on: a sender that stalls holds its place for `body_s`, and no longer.
    """

    def __init__(self, ingest: Ingest, budget: Budget, tenants: Tenants, calls: int, body_s: float) -> None:
        self._ingest = ingest
        self._budget = budget
        self._tenants = tenants
        self._most_calls = calls
        self._body_s = body_s
        self._calls = 0
        self._server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", ingest.limit),
                # Otherwise a second collector would share the port in silence.
                ("grpc.so_reuseport", 0),
                *_CONNECTIONS,
            )
        )
        self._server.add_generic_rpc_handlers(tuple(_handler(signal, self._export(signal)) for signal in Signal))

    async def start(self, address: str, tls: Tls | None = None) -> int:
        """Listens and returns the port. Raises CannotListen."""
        try:
            port: int = (
                self._server.add_secure_port(address, credentials(tls))
                if tls is not None
                else self._server.add_insecure_port(address)
            )
        except RuntimeError:
            raise CannotListen(f"--grpc {address}: the address is in use or cannot be had") from None
        await self._server.start()
        return port

    async def stop(self, grace_s: float) -> None:
        """Takes no more requests and waits for those under way."""
        await self._server.stop(grace_s)

    def _export(self, signal: Signal) -> _Export:
        async def export(_: object, context: grpc.aio.ServicerContext) -> bytes:
            try:
                metadata = _metadata(context)
                tenant = self._tenants.admit(metadata.get("authorization"), _identities(context))
                with self._call(), self._budget.share() as share:
                    body = await self._message(context)
                    share.add(len(body))
                    tenant.spend(len(body))
                    form = Form(batch=batch_id(metadata.get(BATCH_HEADER)))
                    taken = await self._ingest.take(signal, body, form)
            except CollectorError as error:
                self._ingest.refuse(signal, error)
                await _abort(context, error)
                raise
            answer: bytes = signal.answer(taken.rejected, taken.message).SerializeToString()
            return answer

        return export

    async def _message(self, context: grpc.aio.ServicerContext) -> bytes:
        """The one message of a call. Raises TooSlow, Malformed."""
        try:
            async with asyncio.timeout(self._body_s):
                body = await context.read()
                if body is grpc.aio.EOF or await context.read() is not grpc.aio.EOF:
                    raise Malformed("expected one message in a call")
        except TimeoutError:
            raise TooSlow(f"the message was not there after {self._body_s:g} s: send smaller batches") from None
        return bytes(body)

    @contextlib.contextmanager
    def _call(self) -> Iterator[None]:
        """Raises Overloaded. gRPC's own limits have no RetryInfo, and reset streams of senders that keep to them."""
        if self._calls >= self._most_calls:
            raise Overloaded(f"{self._calls} gRPC calls are under way, the limit is {self._most_calls}: try again")
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1


def _metadata(context: grpc.aio.ServicerContext) -> dict[str, str]:
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}


def _identities(context: grpc.aio.ServicerContext) -> tuple[str, ...]:
    """The SPIFFE id of the sender's certificate, where it showed one."""
    return tuple(identity.decode() for identity in context.auth_context().get("peer_spiffe_id", ()))


def _handler(signal: Signal, export: _Export) -> grpc.GenericRpcHandler:
    # As a stream of requests, though it is one: its handler is asked at the head, before the message is there.
    return grpc.method_handlers_generic_handler(
        signal.service, {"Export": grpc.stream_unary_rpc_method_handler(export)}
    )


async def _abort(context: grpc.aio.ServicerContext, error: CollectorError) -> None:
    """Ends the call with the code of the error; the details say when to try again, if at all."""
    if isinstance(error, Retryable):
        over = isinstance(error, OverQuota)
        code, details = grpc.StatusCode.RESOURCE_EXHAUSTED if over else grpc.StatusCode.UNAVAILABLE, RetryInfo()
        details.retry_delay.FromSeconds(error.retry_after_s)
    elif isinstance(error, Unauthenticated):
        code, details = grpc.StatusCode.UNAUTHENTICATED, None
    elif isinstance(error, TooSlow):
        code, details = grpc.StatusCode.DEADLINE_EXCEEDED, None
    elif isinstance(error, TooLarge):
        code, details = grpc.StatusCode.RESOURCE_EXHAUSTED, None
    else:
        code, details = grpc.StatusCode.INVALID_ARGUMENT, None
    status = Status(code=code.value[0], message=str(error))
    if details is not None:
        status.details.add().Pack(details)
    await context.abort(code, str(error), (("grpc-status-details-bin", status.SerializeToString()),))
