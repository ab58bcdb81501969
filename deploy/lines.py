"""Fits lines to the terminal: what does not fit goes on below, indented, and never in the middle of a word.

In: lines, and how wide the terminal is. Out: lines. A pipe has no width: there each line stays one, for grep.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence

_LEAST = 24
"""Characters a column needs to be read; with less it gets lines of its own."""


def width() -> int | None:
    """Characters of a line of the terminal, None when the output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def hung(text: str, hang: int, wide: int | None) -> str:
    """A line; what does not fit into `wide` goes on below, `hang` characters in."""
    if wide is None or len(text) <= wide:
        return text
    wrapped = textwrap.wrap(
        text,
        wide,
        subsequent_indent=" " * max(0, min(hang, wide - _LEAST)),
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )
    return "\n".join(wrapped)


def columns(rows: Sequence[tuple[str, ...]], wide: int | None) -> str:
    """Rows of text below their heads, each column as wide as it has to be; the last one wraps, or stands below when
    there is no room. A column with nothing below its head is left out."""
    told = [any(cells) for cells in zip(*rows[1:], strict=True)] or [True] * len(rows[0])
    rows = [tuple(cell for cell, tells in zip(row, told, strict=True) if tells) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    before = sum(widths[:-1]) + 2 * len(widths[:-1])
    lines = []
    for row in rows:
        first = "  ".join(f"{cell:{w}}" for cell, w in zip(row[:-1], widths, strict=False))
        if wide is None or wide - before >= min(_LEAST, widths[-1]):
            lines.append(hung(f"{first}  {row[-1]}".rstrip(), before, wide))
        else:
            lines += [first.rstrip(), *([hung(f"    {row[-1]}", 4, wide)] if row[-1] else [])]
    return "\n".join(lines)
