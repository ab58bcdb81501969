"""Remembers under which rules the rows of inserts were made that the log still notes as begun.

In: the rules of this process. Out: those, and others that an earlier process may have used before it was killed: a row
that was stored under one is found under that one only. Never: a secret readable by others than the collector's user.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from collector.disk import unwritable
from collector.errors import LogUnwritable

MOST = 8


class Earlier:
    """`folder` is the log's; an empty text is no rules."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "rules.json"

    def begin(self, rules: str) -> list[str]:
        """All rules that may have made rows, this process's first; call it before anything is taken.

        Raises LogUnwritable.
        """
        known = [rules, *(one for one in self._read() if one != rules)][:MOST]
        self._write(known)
        return known

    def settled(self, rules: str) -> None:
        """No insert of an earlier process is in doubt any more; on a failing disk the others stay known."""
        with contextlib.suppress(LogUnwritable):
            self._write([rules])

    def _read(self) -> list[str]:
        try:
            texts: list[str] = json.loads(self._path.read_text())
        except FileNotFoundError:
            return [""]
        except (OSError, ValueError) as error:
            raise LogUnwritable(f"{self._path} cannot be read: {error}") from None
        return texts

    def _write(self, texts: list[str]) -> None:
        part = self._path.with_suffix(".part")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(texts, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            raise LogUnwritable(unwritable("the rules beside the log in", self._path, error, "`wal.folder`")) from None
