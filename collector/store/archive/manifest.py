"""What an archive holds: `manifest.json` in its folder, written anew after every file.

In: a folder. Out: its files, with the rows, bytes and SHA-256 they had when they were written. Never: a path that is
taken from the manifest: it follows from table and day.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Self

from collector.store.archive.tables import TABLES

NAME: Final = "manifest.json"
FORMAT: Final = "whymesh-archive/1"
_GLOB: Final = frozenset("*?{}")


class ArchiveRefused(Exception):
    """The folder is no archive, is damaged, or cannot be written; the message is for the operator."""


@dataclass(frozen=True, order=True)
class File:
    """One table and day. It holds the rows from `begin` to before `end`, both within the day."""

    table: str
    day: date
    rows: int
    bytes: int
    sha256: str
    begin: datetime
    end: datetime

    @property
    def path(self) -> str:
        """Below the folder."""
        return f"{self.table}/{self.day}.parquet"

    def covers(self, begin: datetime, end: datetime) -> bool:
        return self.begin <= begin and end <= self.end


@dataclass(frozen=True)
class Manifest:
    """The files of an archive; `id` tells it from others."""

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    files: tuple[File, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises ArchiveRefused."""
        path = folder / NAME
        try:
            told = json.loads(path.read_text())
            if told["format"] != FORMAT:
                raise ArchiveRefused(f"{path}: this version reads {FORMAT}, found {told['format']!r}")
            files = tuple(_file(part) for part in told["files"])
            return cls(f"{int(told['id'], 16):016x}"[-16:], files)
        except FileNotFoundError:
            raise ArchiveRefused(f"{folder} is no archive: it has no {NAME}") from None
        except OSError as error:
            raise ArchiveRefused(f"{path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArchiveRefused(f"{path} is damaged: {error!r}") from None

    def of(self, table: str, day: date) -> File | None:
        return next((file for file in self.files if (file.table, file.day) == (table, day)), None)

    def with_file(self, file: File) -> Manifest:
        """With this file instead of the one of its table and day."""
        others = [other for other in self.files if (other.table, other.day) != (file.table, file.day)]
        return replace(self, files=tuple(sorted([*others, file])))

    def write(self, folder: Path) -> None:
        """Replaces the one that is there at once."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, default=str, indent=1)
        part = folder / f"{NAME}.part"
        with part.open("w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / NAME)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder is nobody else's meanwhile. Raises ArchiveRefused."""
    if _GLOB & set(str(folder)):
        raise ArchiveRefused(f"{folder}: an archive may not have * ? {{ or }} in its path")
    lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ArchiveRefused(f"{folder} is being exported to or imported from by another process") from None
    else:
        yield
    finally:
        os.close(lock)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file(part: dict[str, Any]) -> File:
    if part["table"] not in TABLES:
        raise ValueError(f"no table of ours: {part['table']!r}")
    day = date.fromisoformat(part["day"])
    begin, end = (datetime.fromisoformat(part[name]).astimezone(UTC) for name in ("begin", "end"))
    return File(part["table"], day, int(part["rows"]), int(part["bytes"]), str(part["sha256"]), begin, end)
