"""Tells an INSERT that was made from one that the engine only calls done.

In: what ClickHouse has counted in system.errors before and after. Out: QueryFailed. Never: rows taken for stored that
the disk had no room for.

chDB 26.9 parses the rows of an INSERT in one call and writes their parts in the next, and of what goes wrong there it
says nothing: no exception, every row counted as written. An error of another statement at the same moment is taken for
one of this INSERT, whose repetition under its deduplication token does no harm.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from collector.disk import unwritable
from collector.store.errors import NOT_ENOUGH_SPACE, query_failed

# What writing a part may meet (src/Common/ErrorCodes.cpp) and a mistaken SELECT does not.
_OF_WRITING: Final = (
    "CANNOT_WRITE_TO_FILE_DESCRIPTOR",
    "CANNOT_OPEN_FILE",
    "CANNOT_CLOSE_FILE",
    "CANNOT_TRUNCATE_FILE",
    "CANNOT_CREATE_DIRECTORY",
    "CANNOT_FSYNC",
    "CANNOT_ALLOCATE_MEMORY",
    "DIRECTORY_ALREADY_EXISTS",
    "FILE_ALREADY_EXISTS",
    "ATOMIC_RENAME_FAIL",
    "MEMORY_LIMIT_EXCEEDED",
    "NOT_ENOUGH_SPACE",
    "NO_FILE_IN_DATA_PART",
    "SYSTEM_ERROR",
    "TABLE_IS_READ_ONLY",
    "TOO_MANY_PARTS",
    "TOO_MANY_PARTITIONS_FOR_INSERT",
    "UNEXPECTED_FILE_IN_DATA_PART",
)
_COUNTED: Final = (
    "SELECT name, code, value, last_error_message FROM system.errors WHERE NOT remote AND name IN"
    f" ({', '.join(map(repr, _OF_WRITING))}) ORDER BY last_error_time"
)

CANNOT_OPEN_FILE: Final = 76

Errors = dict[str, tuple[int, int, str]]
"""By name: ClickHouse's number, how often, and its last message."""


def errors(rows: Callable[[str], list[tuple[Any, ...]]]) -> Errors:
    """What has gone wrong so far in this process, the last one last. Raises QueryFailed."""
    return {str(name): (int(code), int(count), str(message)) for name, code, count, message in rows(_COUNTED)}


def check(before: Errors, after: Errors) -> None:
    """Raises QueryFailed with the last error that is new."""
    new = [name for name, (_, count, _) in after.items() if count > before.get(name, (0, 0, ""))[1]]
    if new:
        code, _, message = after[new[-1]]
        advice = " Make room on the disk of the tables." if code == NOT_ENOUGH_SPACE else ""
        raise query_failed(code, f"{message}. ({new[-1]}){advice}")


def writable(directory: Path) -> None:
    """Raises QueryFailed (76) when no file can be made there, on a read-only disk for one.

    What std::filesystem throws within the engine is told by nobody and counted nowhere: this is asked before an INSERT
    and after it.
    """
    try:
        tempfile.TemporaryFile(dir=directory, buffering=0).close()
    except OSError as error:
        told = unwritable("the tables' directory", directory, error, "--data")
        raise query_failed(CANNOT_OPEN_FILE, f"{told}. (CANNOT_OPEN_FILE)") from None
