"""Scores the engine on generated suites as whoever publishes one would: it ranks first, then the answers are read.

In: a seed, how many systems. Out: Markdown, a row a kind of fault, and of what is none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from rootcause.accuracy import ANSWERS, Answer, Score, read_answers, score
from rootcause.evaluate import rank_suite
from tests.rootcause.proving.suite import Suite, systems
from tests.rootcause.proving.system import System

Kind = tuple[bool, str]
"""Whether nobody is to blame, and what it is."""


def scores(some: Iterable[System]) -> dict[Kind, Score]:
    """By kind, over all of these systems."""
    answers: dict[Kind, dict[str, Answer]] = defaultdict(dict)
    rankings: dict[str, list[str]] = {}
    for system in some:
        with TemporaryDirectory() as folder:
            suite = Path(folder) / f"system-{system.seed}"
            Suite(system, suite).write()
            rankings |= rank_suite(suite)
            for case, answer in read_answers(suite / ANSWERS).items():
                healthy = not answer.names
                answers[healthy, answer.kind].update({case: answer})
    return {kind: score(some, rankings) for kind, some in sorted(answers.items())}


def together(found: Iterable[Score]) -> Score:
    """All of them as one."""
    several = list(found)
    places = [place for one in several for place in one.places]
    return Score(places, sum(one.quiet for one in several), sum(one.blamed for one in several))


def table(seed: int, count: int) -> Iterator[str]:
    """Line by line."""
    found = scores(islice(systems(seed), count))
    yield "| kind | cases | first, among three, blamed though nobody did it |"
    yield "|---|---|---|"
    for (_, kind), one in found.items():
        yield _row(kind, one)
    yield _row("**all faults**", together(one for (healthy, _), one in found.items() if not healthy))
    yield _row("**all healthy**", together(one for (healthy, _), one in found.items() if healthy))


def _row(kind: str, one: Score) -> str:
    if one.quiet:
        return f"| {kind} | {one.quiet} | -, -, {one.blamed} |"
    return f"| {kind} | {len(one.places)} | {among(one, 1)}, {among(one, 3)}, - |"


def among(one: Score, first: int) -> int:
    """How many have the right one among the first."""
    return sum(place is not None and place <= first for place in one.places)
