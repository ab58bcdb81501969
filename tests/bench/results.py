"""What a run of the bench found: tables for people, targets and whether they are met, and where that was measured.

In: figures of each section. Out: the same as text, and as JSON from which docs/performance.md is made (document.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tests.bench.table import markdown

Cell = str | float | None


class Part(BaseModel):
    """A value of a run: never changed, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(Part):
    """The head of a column, and how a number stands in it (a format specification, and what follows)."""

    head: str
    form: str = ",.0f"
    unit: str = ""

    def text(self, cell: Cell) -> str:
        if cell is None:
            return "-"
        return cell if isinstance(cell, str) else f"{cell:{self.form}}{self.unit}"


class Table(Part):
    """Figures side by side; the first column names what each row is about."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @model_validator(mode="after")
    def _rectangular(self) -> Table:
        assert all(len(row) == len(self.columns) for row in self.rows), "a row with other columns than the table's"
        return self

    def markdown(self) -> str:
        cells = [[column.text(cell) for column, cell in zip(self.columns, row, strict=True)] for row in self.rows]
        return markdown([column.head for column in self.columns], cells)


class Target(Part):
    """A ratio or amount that must be at least (or at most) `target`; `stretch` is what is hoped for, if anything."""

    what: str
    measured: float
    target: float
    stretch: float | None = None
    bound: Literal["at least", "at most"] = "at least"
    unit: str = "x"

    @property
    def met(self) -> bool:
        return self._reaches(self.target)

    @property
    def verdict(self) -> str:
        if not self.met:
            return "no"
        return "yes, stretch" if self.stretch is not None and self._reaches(self.stretch) else "yes"

    def _reaches(self, bound: float) -> bool:
        return self.measured <= bound if self.bound == "at most" else self.measured >= bound

    def cells(self) -> tuple[str, ...]:
        sign = "<=" if self.bound == "at most" else ">="
        stretch = "-" if self.stretch is None else f"{sign} {self._text(self.stretch)}"
        return (self.what, self._text(self.measured), f"{sign} {self._text(self.target)}", stretch, self.verdict)

    def _text(self, number: float) -> str:
        figure = f"{number:,.2f}"
        return (figure.rstrip("0").rstrip(".") if "." in figure else figure) + self.unit


class Findings(Part):
    """What one section of the bench found."""

    section: str
    tables: tuple[Table, ...] = ()
    targets: tuple[Target, ...] = ()


class Machine(Part):
    """Where and with what a run was made; an absolute figure means nothing without."""

    cores: int
    processor: str
    kernel: str
    versions: dict[str, str]
    """Of each program that was measured or that measured, by name."""


class Run(Part):
    """One run: what was asked for, where, and every section in order."""

    command: str
    machine: Machine
    sections: Annotated[tuple[Findings, ...], Field(min_length=1)]

    @property
    def targets(self) -> list[Target]:
        return [target for section in self.sections for target in section.targets]


def verdicts(targets: Sequence[Target]) -> str:
    """One line for each target."""
    return markdown(("what", "measured", "target", "stretch", "met"), [target.cells() for target in targets])
