"""The standard question of gRPC services (grpc.health.v1.Health/Check).

The two messages have one field each, so they are read and written here by hand, and need no generated code.
"""

from __future__ import annotations

import grpc
import grpc.aio

from proxy.control.documents.health import GrpcCheck

_METHOD = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"
_STATUSES = {b"": "UNKNOWN", b"\x08\x00": "UNKNOWN", b"\x08\x02": "NOT_SERVING", b"\x08\x03": "SERVICE_UNKNOWN"}


async def ask_grpc(check: GrpcCheck, place: str, timeout_s: float) -> str | None:
    """What is wrong, None when it answers SERVING within the timeout; raises OSError when it cannot be asked."""
    name = check.service.encode()
    request = b"\x0a" + _varint(len(name)) + name if name else b""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(place, options=options) as channel:
        call = channel.unary_unary(_METHOD, request_serializer=None, response_deserializer=None)
        try:
            answer: bytes = await call(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise OSError(f"gRPC status {error.code().name}: {error.details()}") from None
    return None if answer == _SERVING else f"answered {_STATUSES.get(answer, 'what is no status')}"


def _varint(number: int) -> bytes:
    """A length below 2^14, as protobuf writes it."""
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80, number >> 7])
