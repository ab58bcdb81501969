"""Draws the answer to a query for a terminal.

In: names of columns, cells as text, how wide the terminal is. Out: a table; a block of lines for each row when the
table would be wider. Never: a value cut off or folded, for a shortened trace id is of no use.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.lines import hung


def drawn(names: Sequence[str], rows: Sequence[Sequence[str]], wide: int | None) -> str:
    """`wide` is None when nobody looks: then it is a table, however wide."""
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    if wide is not None and rows and sum(widths) + 2 * (len(widths) - 1) > wide:
        return _blocks(names, rows, wide)
    lines = [_line(names, widths), "  ".join("-" * w for w in widths), *(_line(row, widths) for row in rows)]
    return "\n".join([*lines, _count(len(rows))])


def _blocks(names: Sequence[str], rows: Sequence[Sequence[str]], wide: int) -> str:
    label = max(map(len, names))
    lines = []
    for number, row in enumerate(rows, start=1):
        lines.append(f"-- row {number}")
        told = (f"{name:{label}}  {cell}".rstrip() for name, cell in zip(names, row, strict=True))
        lines += [hung(line, label + 2, wide) for line in told]
    return "\n".join([*lines, _count(len(rows))])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:{w}}" for cell, w in zip(cells, widths, strict=True)).rstrip()


def _count(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows:,} rows"
