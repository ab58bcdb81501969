"""What can go wrong between a program and the store, told apart by what the program should do about it.

StoreError
├── StoreUnavailable        nobody answered, or it has no room now: keep the data, try again
├── StoreRejected           this batch will never fit its table: count it, do not try again
├── SchemaRefused           the store was built by other SQL files than ours: a person must decide
└── QueryFailed             ClickHouse answered with an error: `code` is ClickHouse's own number
    ├── QueryTooExpensive   a bound was reached: narrow the query
    └── AccessRefused       wrong password, or the account may not do this
"""

from typing import Final

# ClickHouse's numbers (src/Common/ErrorCodes.cpp) that decide what a caller should do.
UNKNOWN_TABLE: Final = 60
SYNTAX_ERROR: Final = 62
UNKNOWN_DATABASE: Final = 81
TOO_MANY_ROWS: Final = 158
TIMEOUT_EXCEEDED: Final = 159
READONLY: Final = 164
TOO_MANY_SIMULTANEOUS_QUERIES: Final = 202
MEMORY_LIMIT_EXCEEDED: Final = 241
NOT_ENOUGH_SPACE: Final = 243
TOO_MANY_PARTS: Final = 252
TOO_MANY_BYTES: Final = 307
QUERY_WAS_CANCELLED: Final = 394
TOO_MANY_ROWS_OR_BYTES: Final = 396
ACCESS_DENIED: Final = 497
AUTHENTICATION_FAILED: Final = 516

TOO_EXPENSIVE: Final = frozenset(
    {TOO_MANY_ROWS, TIMEOUT_EXCEEDED, MEMORY_LIMIT_EXCEEDED, TOO_MANY_BYTES, TOO_MANY_ROWS_OR_BYTES}
)
REFUSED: Final = frozenset({READONLY, ACCESS_DENIED, AUTHENTICATION_FAILED})


class StoreError(Exception):
    """Anything the store could not do."""


class StoreUnavailable(StoreError):
    """The store is away, locked, starting or full; the same request may succeed later."""


class StoreRejected(StoreError):
    """The store understood the batch and will never take it."""


class SchemaRefused(StoreError):
    """The tables in the store were made by other SQL than this version carries."""


class QueryFailed(StoreError):
    """ClickHouse refused or gave up a query; `code` and `message` are its own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"Code: {code}. {message}")
        self.code = code
        self.message = message


class QueryTooExpensive(QueryFailed):
    """The query would pass a bound of rows, bytes, seconds or memory."""


class AccessRefused(QueryFailed):
    """The account is unknown, its password is wrong, or it may not do this."""


def query_failed(code: int, message: str) -> QueryFailed:
    """The exception for an error that ClickHouse answered with."""
    if code in TOO_EXPENSIVE:
        return QueryTooExpensive(code, message)
    if code in REFUSED:
        return AccessRefused(code, message)
    return QueryFailed(code, message)
