"""What HTTP says for each error: status, the code of google.rpc.Status, and headers.

Source: OTLP specification 1.x, "OTLP/HTTP". Only 429 and 503 ask a sender to try again; overload is never a 500.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus

from google.rpc.code_pb2 import (
    DEADLINE_EXCEEDED,
    INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
)

from collector.errors import CollectorError, OverQuota, Retryable, TooLarge, TooSlow, Unauthenticated, Unsupported


@dataclass(frozen=True)
class Failure:
    """The head of an answer."""

    status: HTTPStatus
    code: int
    headers: dict[str, str] = field(default_factory=dict)


_REFUSED: dict[type[CollectorError], Failure] = {
    TooLarge: Failure(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, RESOURCE_EXHAUSTED),
    TooSlow: Failure(HTTPStatus.REQUEST_TIMEOUT, DEADLINE_EXCEEDED),
    Unsupported: Failure(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, UNIMPLEMENTED, {"Accept-Encoding": "gzip, zstd"}),
    Unauthenticated: Failure(HTTPStatus.UNAUTHORIZED, UNAUTHENTICATED, {"WWW-Authenticate": "Bearer"}),
}


def failure(error: CollectorError) -> Failure:
    """How a request that ends with `error` is answered."""
    match error:
        case OverQuota():
            return Failure(HTTPStatus.TOO_MANY_REQUESTS, RESOURCE_EXHAUSTED, _retry_after(error))
        case Retryable():
            return Failure(HTTPStatus.SERVICE_UNAVAILABLE, UNAVAILABLE, _retry_after(error))
        case _:
            return _REFUSED.get(type(error), Failure(HTTPStatus.BAD_REQUEST, INVALID_ARGUMENT))


def _retry_after(error: Retryable) -> dict[str, str]:
    return {"Retry-After": str(error.retry_after_s)}
