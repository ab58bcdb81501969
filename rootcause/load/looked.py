"""A closer look at two times: what whoever read them hands on to be judged.

In: nothing; these are plain values. Out: windows of normal time and of the time in question, and the spans of some
requests of either, whole ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from rootcause.load.spans import Span
from rootcause.load.window import Window


@dataclass(frozen=True, slots=True)
class Sample:
    """Spans of some requests, all of each: of normal time, and of the time in question."""

    before: tuple[Span, ...] = ()
    now: tuple[Span, ...] = ()


NO_SAMPLE = Sample()


@dataclass(frozen=True, slots=True)
class Looked:
    """Both windows with everything, the same time of other days, and the spans of some requests."""

    baseline: Window
    observed: Window
    days: tuple[Window, ...] = ()
    sample: Sample = NO_SAMPLE
