"""One service and everything that speaks against it.

In: nothing; these are plain values. Out: what the ranking orders, and what findings are told from.
"""

from dataclasses import dataclass

from rootcause.attribute.attempts import Attempts
from rootcause.attribute.drops import Drop
from rootcause.attribute.links import LinkShift
from rootcause.attribute.own_errors import ErrorShift
from rootcause.attribute.saturation import Saturation
from rootcause.attribute.silent import Silent
from rootcause.attribute.steps import StepShift
from rootcause.attribute.strays import Stray
from rootcause.attribute.surge import Surge
from rootcause.detect.baseline import Shift


@dataclass(frozen=True, slots=True)
class Suspect:
    """One service and what speaks against it. Parts are shares (0..1) of what users feel; `links` are those blamed
    on it. Where no call tells what users feel, `stray_part` (0..1) grows with what is measured of it. `each_ms` is what
    it adds to each of the requests that it meets, which usually take `usual_ms`."""

    service: str
    time_part: float = 0.0
    error_part: float = 0.0
    step_part: float = 0.0
    full_part: float = 0.0
    own_time: Shift | None = None
    own_errors: ErrorShift | None = None
    links: tuple[LinkShift, ...] = ()
    steps: StepShift | None = None
    full: Saturation | None = None
    surge: Surge | None = None
    silent: Silent | None = None
    drops: tuple[Drop, ...] = ()
    each_ms: float = 0.0
    usual_ms: float = 0.0
    loops: tuple[Attempts, ...] = ()
    strays: tuple[Stray, ...] = ()
    stray_part: float = 0.0

    @property
    def strained(self) -> Saturation | Surge | None:
        """What it runs on that is full, or that it uses up much more of than ever."""
        return self.full or self.surge

    @property
    def score(self) -> float:
        return self.time_part + self.error_part + self.step_part + self.full_part + self.stray_part
