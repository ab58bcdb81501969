"""`python -m tests.bench.incident`: how long the root-cause engine takes over an incident among ten million spans.

In: spans of a busy mesh over eleven minutes, all of them stored, in the last seconds of which one service takes longer
(filling.py). Out: the time of each evaluation of an engine that has just begun, up to the one that opens the incident
and names that service: with what was normal, what services complain of, when it began, and the proof sheet; and the
CPU of all of them together, which tells two versions apart on a busy machine, too. The store is in this process.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click

from collector.store.bounds import Bounds
from rootcause.incidents.lifecycle import OPEN_AFTER
from tests.bench.evaluating import Told, evaluated
from tests.bench.filling import ILL, Past, fill_and_merge
from tests.bench.measure import cpu_s, rss_mb
from tests.bench.results import Column, Findings, Table, Target, verdicts
from tests.world.stores import served_store

SPANS = 10_000_000
_SECONDS = 660
_ILL_S = 30
_TARGET_S, _STRETCH_S = 2.0, 0.5


@dataclass(frozen=True)
class Seen:
    """What the engine said, CPU seconds of the store meanwhile, and its resident memory in megabytes afterwards."""

    told: Told
    store_cpu_s: float
    store_mb: float


def measure(spans: int = SPANS) -> Findings:
    """Fills a store and lets an engine look at it."""
    with tempfile.TemporaryDirectory(prefix="whymesh-incident-") as folder:
        past = Past(spans, int(time.time()) // 10 * 10, _SECONDS, _ILL_S)
        with served_store(Path(folder), Bounds(seconds=120)) as served:
            fill_and_merge(served, past)
            seen = _watched(served.rootcause_url, past.end + 1.0)
    assert seen.told.culprits[-1] == ILL, seen
    tables = _table(seen.told, spans), _cost(seen)
    return Findings(section="incident", tables=tables, targets=_targets(seen.told, spans))


def _watched(url: str, now: float) -> Seen:
    store = [os.getpid()]
    before = cpu_s(store)
    told = evaluated(url, now, OPEN_AFTER)
    return Seen(told, cpu_s(store) - before, rss_mb(store))


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


def _cost(seen: Seen) -> Table:
    return Table(
        title=f"What these {len(seen.told.seconds)} evaluations took",
        columns=(Column(head=""), Column(head="CPU s", form=".2f"), Column(head="MB")),
        rows=(
            ("engine", seen.told.cpu_s, seen.told.peak_mb),
            ("store, which was filled just before", seen.store_cpu_s, seen.store_mb),
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
