"""`python -m rootcause.evaluate SUITE...`: runs the live engine's code over recorded incidents and writes its rankings.

In: suite folders. Out: {case id: [service, ...]} as JSON, best first, empty when nobody is blamed. The answers
are not read.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import click

from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load import recorded
from rootcause.load.callees import callees_of
from rootcause.load.changes import LOOK_BACK_S
from rootcause.load.edge_rows import read_edges, read_graph
from rootcause.load.from_edges import entry_nodes, window_of_edges
from rootcause.load.from_spans import window_of
from rootcause.load.log_patterns import Log, said
from rootcause.load.log_trouble import trouble_told
from rootcause.load.recorded import EDGES, LOGS, METRICS, SPANS, Case, CaseRefused
from rootcause.load.spans import Span
from rootcause.load.usage import used, used_up
from rootcause.load.window import Interval, Step, Window

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
    """Verdicts by case; one that cannot be read is said on standard error, and nobody is blamed in it.

    Raises CaseRefused when there are no cases.
    """
    read_spans = cache(lambda path: list(recorded.spans(path)))
    return {case.file.id: _judged(case, read_spans, beside=beside) for case in recorded.cases_of(suite)}


def _judged(case: Case, read_spans: ReadSpans, *, beside: bool) -> Verdict:
    try:
        return verdict_of(case, read_spans, beside=beside)
    except CaseRefused as error:
        click.echo(f"{case.file.id}: {error}", err=True)
        return Verdict("not_enough_data", str(error))


def verdict_of(case: Case, read_spans: ReadSpans, *, beside: bool = True) -> Verdict:
    """The engine's verdict on one case."""
    changed = case.changed(LOOK_BACK_S) if beside else frozenset()
    return diagnose(*windows_of(case, read_spans, beside=beside), changed)


def windows_of(case: Case, read_spans: ReadSpans, *, beside: bool = True) -> tuple[Window, Window]:
    """Normal time and the incident, from spans where both have some, else from series of nodes and edges.

    Raises CaseRefused.
    """
    windows = _windows_of(case, read_spans, beside=beside)
    return _with_rest(case, *windows) if beside else windows


def _windows_of(case: Case, read_spans: ReadSpans, *, beside: bool) -> tuple[Window, Window]:
    if case.has(SPANS):
        before = [span for path in case.baseline_files(SPANS) for span in read_spans(path)]
        since = list(recorded.spans(case.folder / SPANS))
        logs = said(_logs(case.baseline_files(LOGS)), _logs([case.folder / LOGS])) if beside else ({}, {})
        callees = callees_of(before)
        return (
            window_of(before, case.baseline, logs[0], callees=callees),
            window_of(since, case.incident, logs[1], callees=callees),
        )
    if case.has(EDGES):
        graph = read_graph(case.folder.parent / "graph.csv")
        normally = [row for path in case.baseline_files(EDGES) for row in read_edges(path, case.baseline)]
        incident = read_edges(case.folder / EDGES, case.incident)
        target = case.file.target
        entries = frozenset({target.service}) if target is not None else entry_nodes([*normally, *incident], graph)
        return (
            window_of_edges(normally, graph, entries, case.baseline),
            window_of_edges(incident, graph, entries, case.incident),
        )
    raise CaseRefused(f"{case.folder}: neither {SPANS} nor {EDGES} tells of both normal time and the incident")


def _logs(paths: list[Path]) -> list[Log]:
    return [log for path in paths for log in recorded.logs(path)]


def _with_rest(case: Case, normal: Window, incident: Window) -> tuple[Window, Window]:
    """What stands beside the calls: what instances used up, and what services complain of outside of any request."""
    usual, now = trouble_told(
        (_logs(case.baseline_files(LOGS)), case.baseline), (_logs([case.folder / LOGS]), case.incident)
    )
    before, since = case.baseline_files(METRICS), [case.folder / METRICS]
    return (
        _with(normal, before, case.normally_metered, usual),
        _with(incident, since, case.metered, now),
    )


def _with(window: Window, metrics: list[Path], metered: tuple[Interval, ...], steps: tuple[Step, ...]) -> Window:
    shares = [sample for path in metrics for sample in recorded.samples(path)]
    amounts = [sample for path in metrics for sample in recorded.amounts(path)]
    return replace(
        window,
        steps=(*window.steps, *steps),
        usage=used(shares, metered),
        amounts=used_up(amounts, metered),
    )


if __name__ == "__main__":
    command()
