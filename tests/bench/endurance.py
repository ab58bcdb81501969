"""What must hold over many requests: memory under strangers, counts of a soak, spans when the collector is killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.bench import collector_away, growth, soak
from tests.bench.environment import Environment
from tests.bench.results import Column, Findings, Table, Target

_FIGURE, _COUNT = Column(head="figure"), Column(head="count")


def under_strangers(environment: Environment, requests: int = 1_000_000) -> Findings:
    """A million requests with random hosts, paths and headers."""
    figures = growth.measure(_own(environment, "growth"), requests, warm=100_000)
    what = f"growth under {figures.requests:,} random hosts, paths and headers"
    target = _at_most(what, figures.grown_mb, growth.MOST_GROWTH_MB, " MB")
    return Findings(section="growth", targets=(target,))


def soaked(environment: Environment, seconds: float, rate: float = 500.0) -> Findings:
    """Client, proxies and ClickHouse after constant load."""
    figures = asyncio.run(soak.measure(_own(environment, "soak"), seconds, rate))
    counts = {
        "answered 200": figures.requests,
        **{f"counted by {name}": count for name, count in figures.counted.items()},
        **{f"stored: {name}": count for name, count in figures.stored.items()},
        **{f"dropped: {name}": count for name, count in figures.dropped.items()},
    }
    table = Table(
        title=f"Soak of {seconds:.0f} s at {rate:.0f} requests/s through two proxies into ClickHouse",
        columns=(_FIGURE, _COUNT),
        rows=tuple(counts.items()),
    )
    grown = max(figures.grown_mb["front"], figures.grown_mb["back"])
    what = f"soak, {figures.requests:,} requests"
    return Findings(
        section="soak",
        tables=(table,),
        targets=(
            _at_most(f"{what}: client, proxies and ClickHouse differ by", figures.off_by, 0),
            _at_most(f"{what}: growth of a proxy", grown, soak.MOST_GROWTH_MB, " MB"),
        ),
    )


def without_collector(environment: Environment, seconds: float, rate: float = 500.0) -> Findings:
    """The collector killed under load and started again."""
    figures = asyncio.run(collector_away.measure(_own(environment, "away"), seconds, rate))
    table = Table(
        title=f"Collector killed (kill -9) for {figures.away_s:.0f} s at {rate:.0f} requests/s",
        columns=(_FIGURE, _COUNT),
        rows=(
            ("requests", figures.requests),
            ("failed", figures.failed),
            ("spans recorded", figures.recorded),
            ("spans stored", figures.stored),
            ("stored more than once", figures.repeated),
            ("bytes in the spool at its fullest", figures.spool_peak_bytes),
            ("seconds until the last was stored", figures.catch_up_s),
        ),
    )
    what = f"collector killed for {figures.away_s:.0f} s, {figures.requests:,} requests"
    return Findings(
        section="away",
        tables=(table,),
        targets=(
            _at_most(f"{what}: failed", figures.failed, 0),
            _at_most(f"{what}: spans lost", figures.lost, 0),
            _at_most(f"{what}: spans stored twice", figures.repeated, 0),
        ),
    )


def _at_most(what: str, measured: float, target: float, unit: str = "") -> Target:
    return Target(what=what, measured=measured, target=target, bound="at most", unit=unit)


def _own(environment: Environment, name: str) -> Path:
    folder = environment.folder / name
    folder.mkdir()
    return folder
