"""What can go wrong between a program and the store, told apart by what the program should do about it.

StoreError
├── StoreUnavailable        nobody answered, or it has no room now: keep the data, try again
├── StoreRejected           this batch will never fit its table: count it, do not try again
├── SchemaRefused           the store was built by other SQL files than ours: a person must decide
└── QueryFailed             ClickHouse answered with an error: `code` is ClickHouse's own number
    ├── QueryTooExpensive   a bound was reached: narrow the query
    └── AccessRefused       wrong password, or the account may not do this
"""

from collections.abc import Iterator
from contextlib import contextmanager
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

# What is wrong with the data of an insert itself. Anything else (disk, memory, a table that is gone) is the store's
# trouble: it may pass, or a person may end it, and what was acknowledged waits for that.
NEVER: Final = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        8,  # THERE_IS_NO_COLUMN
        16,  # NO_SUCH_COLUMN_IN_TABLE
        20,  # NUMBER_OF_COLUMNS_DOESNT_MATCH
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        32,  # ATTEMPT_TO_READ_AFTER_EOF
        33,  # CANNOT_READ_ALL_DATA
        36,  # BAD_ARGUMENTS
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        43,  # ILLEGAL_TYPE_OF_ARGUMENT
        44,  # ILLEGAL_COLUMN
        50,  # UNKNOWN_TYPE
        53,  # TYPE_MISMATCH
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        128,  # TOO_LARGE_ARRAY_SIZE
        131,  # TOO_LARGE_STRING_SIZE
        190,  # SIZES_OF_ARRAYS_DONT_MATCH
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        469,  # VIOLATED_CONSTRAINT
    }
)
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


@contextmanager
def about(table: str) -> Iterator[None]:
    """Around work on a table: what ClickHouse says of it becomes StoreRejected or StoreUnavailable."""
    try:
        yield
    except QueryFailed as error:
        if error.code in NEVER:
            raise StoreRejected(f"{table}: {error}") from error
        raise StoreUnavailable(f"{table}: {error}") from error


def query_failed(code: int, message: str) -> QueryFailed:
    """The exception for an error that ClickHouse answered with."""
    if code in TOO_EXPENSIVE:
        return QueryTooExpensive(code, message)
    if code in REFUSED:
        return AccessRefused(code, message)
    return QueryFailed(code, message)
