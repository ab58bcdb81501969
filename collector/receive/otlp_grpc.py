"""OTLP/gRPC: Export of the trace, metrics and logs services, messages taken as raw bytes, plain or gzip.

In: messages. Out: answers, errors as status codes with google.rpc.Status details.
Source: OTLP specification 1.x, "OTLP/gRPC". Only errors with RetryInfo ask a sender to try again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator

# gRPC's core would write lines of its own to stderr; it reads this once, as it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from collector.errors import CannotListen, CollectorError, Overloaded, OverQuota, Retryable, TooLarge, Unauthenticated
from collector.ingest import Ingest
from collector.receive.budget import Budget
from collector.receive.grpc_tls import credentials
from collector.receive.repeats import BATCH_HEADER, batch_id
from collector.receive.request import Form
from collector.receive.signals import Signal
from collector.receive.tenants import Tenants
from collector.tls import Tls

_Export = Callable[[bytes, "grpc.aio.ServicerContext"], Awaitable[bytes]]


class GrpcReceiver:
    """One gRPC server with the three services; at most `calls` run at one time, over all connections."""

    def __init__(self, ingest: Ingest, budget: Budget, tenants: Tenants, calls: int) -> None:
        self._ingest = ingest
        self._budget = budget
        self._tenants = tenants
        self._most_calls = calls
        self._calls = 0
        self._server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", ingest.limit),
                # Otherwise a second collector would share the port in silence.
                ("grpc.so_reuseport", 0),
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
        async def export(body: bytes, context: grpc.aio.ServicerContext) -> bytes:
            try:
                metadata = _metadata(context)
                tenant = self._tenants.admit(metadata.get("authorization"), _identities(context))
                with self._call(), self._budget.share() as share:
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
    return grpc.method_handlers_generic_handler(signal.service, {"Export": grpc.unary_unary_rpc_method_handler(export)})


async def _abort(context: grpc.aio.ServicerContext, error: CollectorError) -> None:
    """Ends the call with the code of the error; the details say when to try again, if at all."""
    if isinstance(error, Retryable):
        over = isinstance(error, OverQuota)
        code, details = grpc.StatusCode.RESOURCE_EXHAUSTED if over else grpc.StatusCode.UNAVAILABLE, RetryInfo()
        details.retry_delay.FromSeconds(error.retry_after_s)
    elif isinstance(error, Unauthenticated):
        code, details = grpc.StatusCode.UNAUTHENTICATED, None
    elif isinstance(error, TooLarge):
        code, details = grpc.StatusCode.RESOURCE_EXHAUSTED, None
    else:
        code, details = grpc.StatusCode.INVALID_ARGUMENT, None
    status = Status(code=code.value[0], message=str(error))
    if details is not None:
        status.details.add().Pack(details)
    await context.abort(code, str(error), (("grpc-status-details-bin", status.SerializeToString()),))
