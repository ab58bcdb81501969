"""What was chosen on one suite, tried on another: whether the bars and the confidence hold on a system never seen.

In: verdicts of several suites with their answers. Out: Markdown. For each suite the bars that serve the other suites
best are applied to it, and the confidence fitted on the others is compared with how often it came true.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import product

from rootcause.judge.confidence import Calibration, fit, raw_confidence
from rootcause.judge.diagnose import Bars, Verdict, cut

TIME = (0.02, 0.03, 0.05, 0.08, 0.12)
ERRORS = (0.002, 0.005, 0.01, 0.02)
BINS = ((0.0, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 1.01))
_HEAD = """
Leave one suite out: the bars above which somebody is blamed are chosen on the other suites, from {tried} pairs, by the
most right first places less those blamed in quiet cases. `as shipped` are the bars in use.

| suite | bars chosen on the others: time, errors | first | blamed in quiet cases | as shipped |
|---|---|---|---|---|
"""
_RELIABILITY = """
The confidence of a finding, fitted on the other suites, and how often the culprit was right:

| suite | said | findings | said on average | right |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """A verdict, and the right names in lower case, none for a quiet case."""

    verdict: Verdict
    names: Set[str]

    @property
    def right(self) -> bool:
        """Whether the right one comes first."""
        return place([suspect.service for suspect in self.verdict.suspects], self.names) == 1


@dataclass(frozen=True, slots=True)
class Judged:
    """All cases of one suite."""

    suite: str
    cases: tuple[JudgedCase, ...]


def place(ranking: Sequence[str], names: Set[str]) -> int | None:
    """Where the first right name stands, from 1."""
    return next((at for at, name in enumerate(dict.fromkeys(ranking), 1) if name.lower() in names), None)


def crossvalidated(suites: Sequence[Judged]) -> str:
    """Both tables."""
    bars, reliability = [], []
    for left_out in suites:
        others = [case for suite in suites if suite is not left_out for case in suite.cases]
        chosen = best(others)
        right, blamed = outcome(left_out.cases, chosen)
        shipped = outcome(left_out.cases, Bars())
        faults = sum(bool(case.names) for case in left_out.cases)
        bars.append(
            f"| {left_out.suite} | {chosen.time:.0%}, {chosen.errors:.1%} | {right} of {faults}"
            f" | {blamed} of {len(left_out.cases) - faults} | {shipped[0]} and {shipped[1]} |\n"
        )
        reliability += _reliability(left_out, fit(_confidences(others)))
    tried = len(TIME) * len(ERRORS)
    return "".join((_HEAD.format(tried=tried), *bars, _RELIABILITY, *reliability))


def best(cases: Sequence[JudgedCase]) -> Bars:
    """The bars with the best outcome; of equal ones those in use, or the highest."""
    every = [Bars(time, errors) for time, errors in product(TIME, ERRORS)]

    def worth(bars: Bars) -> tuple[int, bool, float]:
        right, blamed = outcome(cases, bars)
        return right - blamed, bars == Bars(), bars.time + bars.errors

    return max(every, key=worth)


def outcome(cases: Sequence[JudgedCase], bars: Bars) -> tuple[int, int]:
    """Right first places, and quiet cases with somebody blamed."""
    right = blamed = 0
    for case in cases:
        suspects, many = cut(case.verdict.ranked, bars)
        if case.names:
            right += many > 0 and place([suspects[0].service], case.names) == 1
        else:
            blamed += many > 0
    return right, blamed


def _confidences(cases: Sequence[JudgedCase]) -> list[tuple[float, bool]]:
    return [(raw_confidence(case.verdict), case.right) for case in cases if case.verdict.suspects]


def _reliability(suite: Judged, calibration: Calibration) -> list[str]:
    said = [(calibration.of(raw), right) for raw, right in _confidences(suite.cases)]
    rows = []
    for low, high in BINS:
        held = [(confidence, right) for confidence, right in said if low <= confidence < high]
        if held:
            mean = sum(confidence for confidence, _ in held) / len(held)
            right = sum(right for _, right in held)
            rows.append(f"| {suite.suite} | {low:.0%} to {min(high, 1):.0%} | {len(held)} | {mean:.0%} | {right} |\n")
    return rows
