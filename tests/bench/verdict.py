"""A figure held against its target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.table import markdown


@dataclass(frozen=True)
class Row:
    """A ratio or amount that must be at least (or at most) `target`; `hoped` is the stretch target, if there is one."""

    what: str
    measured: float
    target: float
    hoped: float | None = None
    at_most: bool = False
    unit: str = "x"

    @property
    def met(self) -> bool:
        return self._reaches(self.target)

    def _reaches(self, bound: float) -> bool:
        return self.measured <= bound if self.at_most else self.measured >= bound

    def cells(self) -> tuple[str, ...]:
        sign = "<=" if self.at_most else ">="
        hoped = "-" if self.hoped is None else f"{sign} {self._text(self.hoped)}"
        said = (
            "no" if not self.met else "yes" if self.hoped is None or not self._reaches(self.hoped) else "yes, stretch"
        )
        return (self.what, self._text(self.measured), f"{sign} {self._text(self.target)}", hoped, said)

    def _text(self, number: float) -> str:
        return f"{number:,.2f}".rstrip("0").rstrip(".") + self.unit


def render(rows: Sequence[Row]) -> str:
    """One line for each target."""
    return markdown(("what", "measured", "target", "stretch", "met"), [row.cells() for row in rows])
