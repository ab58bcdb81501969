"""`python -m tests.bench.incident`: how long the root-cause engine takes over an incident among ten million spans.

In: spans of a busy mesh over eleven minutes, all of them stored, in the last seconds of which one service takes longer
(filling.py). Out: the time of each evaluation of an engine that has just begun, up to the one that opens the incident
and names that service: with what was normal, what services complain of, when it began, and the proof sheet; and the
CPU of that, and of a minute before in which nothing is wrong. CPU tells two versions apart on a busy machine, too.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click

from collector.store.bounds import Bounds
from rootcause.incidents.lifecycle import OPEN_AFTER
from tests.bench.evaluating import EVERY_S, Told, evaluated
from tests.bench.filling import ILL, Past, fill_and_merge
from tests.bench.measure import cpu_s
from tests.bench.results import Column, Findings, Table, Target, verdicts
from tests.world.stores import ServedStore, served_store

SPANS = 10_000_000
_SECONDS = 660
_ILL_S = 30
_WELL_TURNS = 12
_SEEN_S = 15
"""Of an evaluation's time in question no more than so much is still to come."""
_TARGET_S, _STRETCH_S = 2.0, 0.5


@dataclass(frozen=True)
class Seen:
    """What an engine that has just begun said, and CPU seconds of the store meanwhile."""

    told: Told
    store_cpu_s: float


def measure(spans: int = SPANS) -> Findings:
    """Fills a store and lets an engine look at it."""
    with tempfile.TemporaryDirectory(prefix="whymesh-incident-") as folder:
        past = Past(spans, int(time.time()) // 10 * 10, _SECONDS, _ILL_S)
        with served_store(Path(folder), Bounds(seconds=120)) as served:
            fill_and_merge(served, past)
            well = _watched(served, past.end - _ILL_S - _SEEN_S - _WELL_TURNS * EVERY_S, _WELL_TURNS)
            ill = _watched(served, past.end, OPEN_AFTER)
    assert set(well.told.states) == {"nothing_wrong"}, well
    assert ill.told.culprits[-1] == ILL, ill
    return Findings(
        section="incident", tables=(_table(ill.told, spans), _cost(well, ill)), targets=_targets(ill.told, spans)
    )


def _watched(served: ServedStore, since: int, turns: int) -> Seen:
    """The store is in this process, and does nothing else meanwhile."""
    store = [os.getpid()]
    before = cpu_s(store)
    told = evaluated(served.rootcause_url, since + 1.0, turns)
    return Seen(told, cpu_s(store) - before)


def _table(told: Told, spans: int) -> Table:
    names = ["the first: normal time is read, too", *["the next"] * (len(told.seconds) - 2), "the one that opens it"]
    return Table(
        title=f"{ILL} becomes slow among {spans:,} spans of {_SECONDS} s: evaluations until the incident is open",
        columns=(Column(head="evaluation"), Column(head="ms"), Column(head="said", form="")),
        rows=tuple(
            (name, seconds * 1000, f"{state} {culprit}".strip())
            for name, seconds, state, culprit in zip(names, told.seconds, told.states, told.culprits, strict=True)
        ),
    )


def _cost(well: Seen, ill: Seen) -> Table:
    return Table(
        title="What evaluations took together",
        columns=(
            Column(head="evaluations"),
            Column(head="median ms"),
            Column(head="engine CPU s", form=".2f"),
            Column(head="store CPU s", form=".2f"),
            Column(head="engine MB"),
        ),
        rows=tuple(
            (
                f"{len(seen.told.seconds)} {what}",
                statistics.median(seen.told.seconds) * 1000,
                seen.told.cpu_s,
                seen.store_cpu_s,
                seen.told.peak_mb,
            )
            for what, seen in (
                (f"of a minute in which nothing is wrong, every {EVERY_S} s", well),
                ("until the incident is open", ill),
            )
        ),
    )


def _targets(told: Told, spans: int) -> tuple[Target, ...]:
    return tuple(
        Target(what=what, measured=seconds, target=_TARGET_S, stretch=_STRETCH_S, bound="at most", unit=" s")
        for what, seconds in (
            (f"evaluation of {spans:,} spans, the first, with an incident in them", told.seconds[0]),
            (f"evaluation of {spans:,} spans that opens the incident", told.seconds[-1]),
        )
    )


@click.command()
@click.option("--spans", default=SPANS, show_default=True)
def main(spans: int) -> None:
    """Let the root-cause engine find an incident among many spans."""
    found = measure(spans)
    for table in found.tables:
        click.echo(f"\n{table.title}\n\n{table.markdown()}")
    click.echo(f"\n{verdicts(found.targets)}")


if __name__ == "__main__":
    main()
