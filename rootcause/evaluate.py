"""`python -m rootcause.evaluate SUITE...`: runs the live engine's code over recorded incidents and writes its rankings.

In: suite folders. Out: {case id: [service, ...]} as JSON, best first, empty when nobody is blamed. The answers
are not read.
"""

import json
import time
from pathlib import Path

import click

from rootcause.attribute.on_path import with_path
from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.case_odds import odds
from rootcause.load.changes import LOOK_BACK_S
from rootcause.load.from_case import ReadSpans, windows_of
from rootcause.load.recorded import Case, CaseRefused, folders_of, read_case
from rootcause.load.recorded_spans import NormalSpans


@click.command(name="evaluate")
@click.argument("suites", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", type=click.Path(path_type=Path), help="Where the rankings go [default: standard output].")
def command(suites: tuple[Path, ...], out: Path | None) -> None:
    """Rank the services of every recorded incident of the suites.

    \b
    Example:
      python -m rootcause.evaluate rca/petshop-low --out ranking.json
      python rca/score.py --suite rca/petshop-low --ranking ranking.json
    """
    rankings: dict[str, list[str]] = {}
    try:
        for suite in suites:
            began = time.monotonic()
            found = rank_suite(suite)
            rankings |= found
            blamed = sum(1 for ranking in found.values() if ranking)
            seconds = time.monotonic() - began
            click.echo(f"{suite.name}: {len(found)} cases, somebody blamed in {blamed}, {seconds:.1f} s", err=True)
    except CaseRefused as error:
        click.echo(f"evaluate: {error}", err=True)
        raise SystemExit(2) from None
    text = json.dumps(rankings, indent=1)
    if out is None:
        click.echo(text)
    else:
        out.write_text(text + "\n")


def rank_suite(suite: Path, *, beside: bool = True) -> dict[str, list[str]]:
    """Rankings by case; without what is `beside` the spans (logs, metrics) if so told. Raises CaseRefused."""
    return {id: services(verdict) for id, verdict in judge_suite(suite, beside=beside).items()}


def services(verdict: Verdict) -> list[str]:
    """The ranking, as suites score it."""
    return [suspect.service for suspect in verdict.suspects]


def judge_suite(suite: Path, *, beside: bool = True) -> dict[str, Verdict]:
    """Verdicts by case; what is wrong with one is said on standard error, and nobody is blamed in one that cannot be
    read. A case whose id cannot be read, or is another's, goes by its folder.

    Raises CaseRefused when there are no cases.
    """
    normal = NormalSpans()
    found: dict[str, Verdict] = {}
    folders = folders_of(suite)
    others = {folder.name for folder in folders}
    for folder in folders:
        id, verdict = _judged(folder, normal.read, beside=beside)
        if id != folder.name and id in found.keys() | others:
            click.echo(f"{folder}: another case is called {id}, too; it goes by its folder", err=True)
            id = folder.name
        found[id] = verdict
    return found


def _judged(folder: Path, normal_spans: ReadSpans, *, beside: bool) -> tuple[str, Verdict]:
    id = folder.name
    try:
        case = read_case(folder)
        id = case.file.id
        for odd in odds(case):
            click.echo(f"{id}: {odd}", err=True)
        verdict = verdict_of(case, normal_spans, beside=beside)
    except CaseRefused as error:
        verdict = Verdict("not_enough_data", str(error))
    except Exception as error:  # One case, whatever is in it, is not to cost the others theirs.
        verdict = Verdict("not_enough_data", f"the engine failed: {type(error).__name__}: {error}")
    if verdict.state == "not_enough_data":
        click.echo(f"{id}: {verdict.reason}", err=True)
    return id, verdict


def verdict_of(case: Case, normal_spans: ReadSpans, *, beside: bool = True) -> Verdict:
    """The engine's verdict on one case: of the first view of its calls in which somebody is blamed, else of the first
    view that tells enough. Raises CaseRefused."""
    changed = _changed(case) if beside else frozenset()
    told: list[Verdict] = []
    for looked in windows_of(case, normal_spans, beside=beside):
        # Who is seen to answer as usual is not to be blamed for what is logged and measured beside it.
        if not looked.observed.served and any(verdict.state != "not_enough_data" for verdict in told):
            continue
        told.append(diagnose(looked.baseline, with_path(looked.observed, looked.sample), changed))
        if told[-1].suspects:
            return told[-1]
    return next((verdict for verdict in told if verdict.state != "not_enough_data"), told[0])


def _changed(case: Case) -> frozenset[str]:
    """Services rolled out shortly before; none where that cannot be read."""
    try:
        return case.changed(LOOK_BACK_S)
    except CaseRefused as error:
        click.echo(f"{case.file.id}: done without: {error}", err=True)
        return frozenset()


if __name__ == "__main__":
    command()
