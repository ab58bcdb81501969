"""What must hold over many requests: memory under strangers, counts of a soak, spans when the collector is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click

from tests.bench import collector_away, growth, soak
from tests.bench.environment import Environment
from tests.bench.verdict import Row


def under_strangers(environment: Environment, requests: int = 1_000_000) -> Iterator[Row]:
    """A million requests with random hosts, paths and headers."""
    figures = growth.measure(_own(environment, "growth"), requests, warm=100_000)
    what = f"growth under {figures.requests:,} random hosts, paths and headers"
    yield Row(what, figures.grown_mb, growth.MOST_GROWTH_MB, at_most=True, unit=" MB")


def soaked(environment: Environment, seconds: float, rate: float = 500.0) -> Iterator[Row]:
    """Client, proxies and ClickHouse after constant load."""
    figures = asyncio.run(soak.measure(_own(environment, "soak"), seconds, rate))
    click.echo(f"\nSoak, {seconds:.0f} s: {figures}")
    counts = (*figures.counted.values(), *figures.stored.values())
    off = max(abs(count - figures.requests) for count in counts) if len(counts) == 8 else figures.requests
    grown = max(figures.grown_mb["front"], figures.grown_mb["back"])
    what = f"soak, {figures.requests:,} requests"
    yield Row(f"{what}: client, proxies and ClickHouse differ by", off, 0, at_most=True, unit="")
    yield Row(f"{what}: growth of a proxy", grown, soak.MOST_GROWTH_MB, at_most=True, unit=" MB")


def without_collector(environment: Environment, seconds: float, rate: float = 500.0) -> Iterator[Row]:
    """The collector killed under load and started again."""
    figures = asyncio.run(collector_away.measure(_own(environment, "away"), seconds, rate))
    click.echo(f"\nCollector killed for {figures.away_s:.0f} s: {figures}")
    what = f"collector killed for {figures.away_s:.0f} s, {figures.requests:,} requests"
    yield Row(f"{what}: failed", figures.failed, 0, at_most=True, unit="")
    yield Row(f"{what}: spans lost", figures.lost, 0, at_most=True, unit="")


def _own(environment: Environment, name: str) -> Path:
    folder = environment.folder / name
    folder.mkdir()
    return folder
