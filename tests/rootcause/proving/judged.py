"""Tries everything on generated systems and keeps what the engine says of it.

In: seeds. Out: a Result for each trial and view. The windows are as long as the traffic needs: half an hour of normal
time where a request comes in every five seconds, a minute where five hundred come in each.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.from_spans import window_of
from rootcause.load.window import STEP_S, Interval
from tests.rootcause.proving.benign import BENIGN
from tests.rootcause.proving.broken import FAULTS
from tests.rootcause.proving.build import build
from tests.rootcause.proving.faults import Effects
from tests.rootcause.proving.profile import Profile
from tests.rootcause.proving.system import System
from tests.rootcause.proving.traffic import Traffic
from tests.rootcause.proving.trials import Draw, Trial, trials
from tests.rootcause.proving.views import VIEWS, Normal, View, edge_rows, windows

START = 1_700_000_000.0
KINDS_A_SYSTEM = 9
FEWEST = 10
MUCH_WORK = 8_000.0
"""In spans."""


@dataclass(frozen=True)
class Result:
    """What the engine said."""

    system: int
    view: View
    trial: Trial
    verdict: Verdict

    @property
    def ranked(self) -> tuple[str, ...]:
        """Everybody who strays, of whom the first `blamed` are accused."""
        return tuple(suspect.service for suspect in self.verdict.suspects)

    @property
    def blamed(self) -> int:
        return self.verdict.blamed

    @property
    def first(self) -> bool:
        """Whether as many come first as are to blame, and all of them are."""
        found = self.ranked[: min(self.blamed, len(self.trial.culprits))]
        if not self.blamed:
            return any("" in group for group in self.trial.culprits)
        return all(any(name in group for name in found) for group in self.trial.culprits)

    @property
    def among_three(self) -> bool:
        """Whether all who are to blame are among the first three."""
        return self.first or all(any(name in group for name in self.ranked[:3]) for group in self.trial.culprits)

    @property
    def accused(self) -> tuple[str, ...]:
        """Who is blamed without having done it."""
        guilty = {name for group in self.trial.culprits for name in group}
        return tuple(name for name in self.ranked[: self.blamed] if name not in guilty)

    @property
    def well(self) -> bool:
        """Whether there is nothing to say against it."""
        return not self.accused and (self.trial.healthy or self.first)


@dataclass(frozen=True)
class Stretch:
    """How long normal time and the time in question are, in seconds."""

    normal_s: float
    question_s: float


def stretch(system: System) -> Stretch:
    """Sixty requests in question, or a minute of more, and less where that is a lot of work; before, four times as
    long."""
    question = max(60 / system.rate, min(60.0, MUCH_WORK / system.spans_a_second))
    question = max(20.0, min(300.0, question))
    return Stretch(_steps(max(60.0, 4 * question)), _steps(question))


def _steps(seconds: float) -> float:
    return STEP_S * round(seconds / STEP_S)


def results(seed: int, systems: int) -> Iterator[Result]:
    """Of so many systems, each with some kinds of faults and changes in turn."""
    for index in range(systems):
        yield from of_system(1000 * seed + index, turn=index)


def of_system(seed: int, turn: int = 0, views: tuple[View, ...] = VIEWS) -> Iterator[Result]:
    """Some kinds of trials on one system; the next turn takes the next ones."""
    ground = Ground(build(seed))
    kinds = [*FAULTS, *BENIGN]
    mine = [kinds[(turn * KINDS_A_SYSTEM + offset) % len(kinds)] for offset in range(KINDS_A_SYSTEM)]
    for trial in trials(ground.draw, mine):
        yield from ground.results(trial, views)


class Ground:
    """One system with its normal time."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.stretch = stretch(system)
        self.before = Interval(START, START + self.stretch.normal_s)
        self.since = Interval(self.before.end + STEP_S, self.before.end + STEP_S + self.stretch.question_s)
        usual = Traffic(system, 0, Effects((), float("inf")))
        spans = usual.run(self.before.start, self.before.seconds)
        self.normal = Normal(system, usual, self.before)
        self.draw = Draw(system, Profile(system, spans), random.Random(f"trials {system.seed}"))

    def results(self, trial: Trial, views: tuple[View, ...] = VIEWS) -> Iterator[Result]:
        """What the engine says, from each view; nothing of a fault that hardly any request met."""
        traffic = Traffic(self.system, 1, Effects(trial.effects, self.since.start))
        spans = traffic.run(self.since.start, self.since.seconds)
        if not trial.healthy and traffic.struck < FEWEST:
            return
        rows = edge_rows(spans, traffic.callees) if "edges" in views else []
        window = window_of(spans, [self.since], callees=self.normal.callees)
        for view in views:
            pair = windows(self.system, view, self.normal, window, rows, trial.gauges)
            verdict = diagnose(*pair, trial.changed if view == "both" else frozenset())
            yield Result(self.system.seed, view, trial, verdict)
