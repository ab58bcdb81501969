"""Has a generated recording judged, as `rootcause.evaluate` does.

In: where it may be written, its make, the world, what is wrong. Out: a Result. The files are gone after that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from rootcause.evaluate import services, verdict_of
from rootcause.load.recorded import read_case
from rootcause.load.recorded_spans import NormalSpans
from tests.rootcause.proving.measured.suites import MAKES, write
from tests.rootcause.proving.measured.trouble import Trouble
from tests.rootcause.proving.measured.world import World


@dataclass(frozen=True)
class Result:
    """What the engine said of a case."""

    id: str
    make: str
    wrong: Trouble
    ranked: tuple[str, ...]

    @property
    def first(self) -> bool:
        """Whether whoever did it is told first."""
        return self.ranked[:1] == (self.wrong.service,)

    @property
    def among_three(self) -> bool:
        return self.wrong.service in self.ranked[:3]

    @property
    def good(self) -> bool:
        """First, or nobody where nobody did anything."""
        return not self.ranked if self.wrong.quiet else self.first


def result(suite: Path, make: str, made: World, wrong: Trouble, id: str) -> Result:
    """Writes, judges and removes it."""
    case = read_case(write(suite, MAKES[make], made, wrong, id))
    verdict = verdict_of(case, NormalSpans().read)
    rmtree(suite)
    return Result(id, make, wrong, tuple(services(verdict)))
