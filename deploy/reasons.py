"""What a `mesh.reason` means and what to do about it, for the terminal.

In: a code. Out: cause and next step as docs/reasons.md has them (it lies beside this file), as plain text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BOOK = Path(__file__).with_name("reasons.md")
_LINK = re.compile(r"\[([^]]+)]\([^)]*\)")


@dataclass(frozen=True)
class Advice:
    """Sentences for an operator."""

    cause: str
    next: str


def advice(code: str) -> Advice | None:
    """Of one code; None for one that is not in the book."""
    section = re.search(rf"^### `{re.escape(code)}`\n(.+?)(?=^##|\Z)", _BOOK.read_text(), re.M | re.S)
    if section is None:
        return None
    cause, step = (re.search(rf"\*\*{part}\.\*\* (.+?)(?=\n-|\n\n|\Z)", section[1], re.S) for part in ("Cause", "Next"))
    return Advice(_plain(cause[1]), _plain(step[1])) if cause and step else None


def _plain(markdown: str) -> str:
    return " ".join(_LINK.sub(r"\1", markdown).replace("`", "").split())
