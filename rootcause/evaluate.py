"""`python -m rootcause.evaluate SUITE...`: runs the live engine's code over recorded incidents and writes its rankings.

In: suite folders. Out: {case id: [service, ...]} as JSON, best first, empty when nobody is blamed. The answers
are not read.
"""

import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import click

from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load import recorded
from rootcause.load.from_nodes import node_window, read_graph, read_nodes
from rootcause.load.from_spans import window_of
from rootcause.load.log_patterns import Log, said
from rootcause.load.recorded import EDGES, LOGS, METRICS, SPANS, Case, CaseRefused
from rootcause.load.spans import Span
from rootcause.load.usage import used
from rootcause.load.window import Interval, Usage, Window

ReadSpans = Callable[[Path], list[Span]]


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
    """Verdicts by case. Raises CaseRefused."""
    read_spans = cache(lambda path: list(recorded.spans(path)))
    return {case.file.id: verdict_of(case, read_spans, beside=beside) for case in recorded.cases_of(suite)}


def verdict_of(case: Case, read_spans: ReadSpans, *, beside: bool = True) -> Verdict:
    """The engine's verdict on one case."""
    return diagnose(*windows_of(case, read_spans, beside=beside))


def windows_of(case: Case, read_spans: ReadSpans, *, beside: bool = True) -> tuple[Window, Window]:
    """Normal time and the incident, from spans where there are any, else from node series. Raises CaseRefused."""
    if (case.folder / SPANS).exists():
        normal = [span for path in case.baseline_files(SPANS) for span in read_spans(path)]
        incident = list(recorded.spans(case.folder / SPANS))
        if not beside:
            return window_of(normal, case.baseline), window_of(incident, case.incident)
        usual, now = said(_logs(case.baseline_files(LOGS)), _logs([case.folder / LOGS]))
        return (
            window_of(normal, case.baseline, usual, _usage(case.baseline_files(METRICS), case.normally_metered)),
            window_of(incident, case.incident, now, _usage([case.folder / METRICS], case.metered)),
        )
    if (case.folder / EDGES).exists():
        return _node_windows(case)
    raise CaseRefused(f"{case.folder}: holds neither {SPANS} nor {EDGES}")


def _logs(paths: list[Path]) -> list[Log]:
    return [log for path in paths for log in recorded.logs(path)]


def _usage(paths: list[Path], intervals: tuple[Interval, ...]) -> tuple[Usage, ...]:
    return used([sample for path in paths for sample in recorded.samples(path)], intervals)


def _node_windows(case: Case) -> tuple[Window, Window]:
    callees = read_graph(case.folder.parent / "graph.csv")
    target = case.file.target
    called = set().union(*callees.values()) if callees else set()
    entries = frozenset({target.service} if target is not None else callees.keys() - called)
    normal = [row for path in case.baseline_files(EDGES) for row in read_nodes(path, case.baseline)]
    incident = read_nodes(case.folder / EDGES, case.incident)
    return (
        node_window(normal, callees, entries, case.baseline),
        node_window(incident, callees, entries, case.incident),
    )


if __name__ == "__main__":
    command()
