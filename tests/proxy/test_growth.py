"""The short form of `python -m tests.bench.growth`: strangers leave nothing behind."""

from __future__ import annotations

from pathlib import Path

from tests.bench.growth import MOST_GROWTH_MB, measure


def test_random_hosts_paths_and_headers_leave_nothing_behind(tmp_path: Path) -> None:
    figures = measure(tmp_path, requests=50_000, warm=100_000)
    assert figures.requests >= 50_000
    assert figures.grown_mb < MOST_GROWTH_MB
