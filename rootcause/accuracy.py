"""`python -m rootcause.accuracy SUITE... --out docs/accuracy.md`: how often the engine is right, as a table.

In: suite folders with their answers.csv. Out: Markdown. The engine ranks before an answer is read.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import click

from rootcause.crossvalidate import Judged, JudgedCase, crossvalidated, place
from rootcause.evaluate import judge_suite, services
from rootcause.judge.diagnose import Verdict
from rootcause.load.recorded import EDGES, LOGS, METRICS, SPANS, CaseRefused

ANSWERS = "answers.csv"
_Z = 1.96
_HEAD = """# Accuracy

How often the engine puts the right service first, over published incidents. Made by

    python -m rootcause.accuracy {suites} --out docs/accuracy.md

through the code that runs live; no threshold differs between suites. In brackets: Wilson's 95 % interval. A quiet case
has no fault: blaming anybody there is wrong.

| suite | signals | faults | first | among three | blamed in quiet cases |
|---|---|---|---|---|---|
"""
_KINDS = """
By kind of fault, with all signals:

| suite | kind | faults | first | among three |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is right for one case: names in lower case, none for a quiet case."""

    names: Set[str]
    kind: str


@dataclass(frozen=True, slots=True)
class Score:
    """Places (from 1) of the right service by case, None where it is not listed; how many quiet cases, and of these how
    many with somebody blamed."""

    places: Sequence[int | None]
    quiet: int
    blamed: int

    def among(self, first: int) -> str:
        """The share with the right service among the first, with its interval."""
        hits = sum(place is not None and place <= first for place in self.places)
        if not self.places:
            return "-"
        low, high = wilson(hits, len(self.places))
        return f"{hits / len(self.places):.3f} [{low:.2f}, {high:.2f}]"


@click.command(name="accuracy")
@click.argument("suites", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", type=click.Path(path_type=Path), help="Where the table goes [default: standard output].")
def command(suites: tuple[Path, ...], out: Path | None) -> None:
    """Score the engine on recorded incidents whose answers are known.

    \b
    Example:
      python -m rootcause.accuracy rca/nezha-trainticket rca/petshop-low
    """
    try:
        text = table(suites)
    except (CaseRefused, OSError, KeyError) as error:
        click.echo(f"accuracy: {error}", err=True)
        raise SystemExit(2) from None
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text)


def table(suites: Sequence[Path]) -> str:
    """The document. Raises CaseRefused, OSError, KeyError."""
    rows, kinds, judged = [], [], []
    for suite in suites:
        verdicts = {signals: judge_suite(suite, beside=beside) for signals, beside in _signals(suite)}
        answers = read_answers(suite / ANSWERS)
        for signals, by_case in verdicts.items():
            found = score(answers, _rankings(by_case))
            quiet = f"{found.blamed} of {found.quiet}"
            cells = (suite.name, signals, len(found.places), found.among(1), found.among(3), quiet)
            rows.append(_row(cells))
        whole = verdicts[_signals(suite)[0][0]]
        for kind, part in _by_kind(answers).items():
            found = score(part, _rankings(whole))
            kinds.append(_row((suite.name, kind, len(found.places), found.among(1), found.among(3))))
        judged.append(_judged(suite.name, answers, whole))
    text = "".join((_HEAD.format(suites=" ".join(suite.name for suite in suites)), *rows, _KINDS, *kinds))
    return text + crossvalidated(judged) if len(judged) > 1 else text


def _judged(name: str, answers: Mapping[str, Answer], verdicts: Mapping[str, Verdict]) -> Judged:
    cases = (JudgedCase(verdict, answers[id].names) for id, verdict in verdicts.items() if id in answers)
    return Judged(name, tuple(cases))


def _rankings(verdicts: Mapping[str, Verdict]) -> dict[str, list[str]]:
    return {id: services(verdict) for id, verdict in verdicts.items()}


def read_answers(path: Path) -> dict[str, Answer]:
    """Right services by case. Raises OSError, KeyError for a missing column."""
    with path.open(newline="") as lines:
        return {
            row["case_id"]: Answer(
                {name.strip().lower() for name in (row["service"], *row["aliases"].split("|")) if name.strip()},
                row["kind"],
            )
            for row in csv.DictReader(lines)
        }


def score(answers: Mapping[str, Answer], rankings: Mapping[str, Sequence[str]]) -> Score:
    """Compares rankings with answers. A case without a ranking counts against the engine."""
    faults = {case: answer for case, answer in answers.items() if answer.names}
    quiet = answers.keys() - faults.keys()
    places = [place(rankings.get(case, ()), answer.names) for case, answer in faults.items()]
    return Score(places, len(quiet), sum(rankings.get(case) != [] for case in quiet))


def wilson(hits: int, cases: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927)."""
    share, spread = hits / cases, _Z * _Z / cases
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / cases + spread / (4 * cases))
    return max(0.0, middle - half), min(1.0, middle + half)


def _signals(suite: Path) -> list[tuple[str, bool]]:
    """What the cases hold, in words, and whether to read what is beside the spans; all of it first."""
    names = {path.name for path in suite.glob("*/*")}
    if SPANS not in names:
        kinds = (("node series", EDGES), ("logs", LOGS), ("metrics", METRICS))
        return [(", ".join(word for word, name in kinds if name in names), True)]
    beside = [word for word, name in (("logs", LOGS), ("metrics", METRICS)) if name in names]
    whole = [(", ".join(["spans", *beside]), True)]
    return [*whole, ("spans", False)] if beside else whole


def _by_kind(answers: Mapping[str, Answer]) -> dict[str, dict[str, Answer]]:
    kinds: dict[str, dict[str, Answer]] = defaultdict(dict)
    for case, answer in sorted(answers.items(), key=lambda item: item[1].kind):
        if answer.names:
            kinds[answer.kind][case] = answer
    return kinds


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |\n"


if __name__ == "__main__":
    command()
