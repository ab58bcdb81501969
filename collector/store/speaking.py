"""Turns what clickhouse-driver raises into what our programs act on: away, refused, or too expensive."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from clickhouse_driver.errors import Error as DriverError
from clickhouse_driver.errors import NetworkError, ServerException, SocketTimeoutError, UnknownTypeError

from collector.store.errors import StoreUnavailable, query_failed
from collector.store.url import StoreUrl

# The driver logs each failed attempt with a traceback; here it becomes one StoreUnavailable.
logging.getLogger("clickhouse_driver.connection").setLevel(logging.ERROR)

_STACK_TRACE: Final = re.compile(r"\.?\s*Stack trace:.*\Z", re.DOTALL)
_VERSION: Final = re.compile(r"\s*\(version [^)]*(\([^)]*\))?[^)]*\)\.?\Z")


@contextmanager
def speaking(url: StoreUrl) -> Iterator[None]:
    """Around every exchange with `url`. Raises StoreUnavailable, QueryFailed."""
    try:
        yield
    except ServerException as error:
        raise query_failed(error.code or 0, readable(error.message or "")) from None
    except (NetworkError, SocketTimeoutError, OSError, EOFError) as error:
        raise StoreUnavailable(f"the store at {url} does not answer: {_reason(error)}") from error
    except UnknownTypeError as error:
        hint = "finish the state in the query, for example quantilesDDMerge(0.01, 0.5)(Durations)"
        raise query_failed(error.code, f"{error.message}: the driver cannot read it; {hint}") from None
    except DriverError as error:
        raise StoreUnavailable(f"{url} does not speak ClickHouse's protocol: {error}") from error


def readable(message: str) -> str:
    """ClickHouse's message without its stack trace and version."""
    text = _VERSION.sub("", _STACK_TRACE.sub("", message).strip())
    return text.removeprefix("DB::Exception: ")


def _reason(error: BaseException) -> str:
    if isinstance(error, EOFError):
        return "it closed the connection"
    if isinstance(error, SocketTimeoutError | TimeoutError):
        return "no answer in time"
    return str(error)
