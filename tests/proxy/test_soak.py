"""The short form of `python -m tests.bench.soak`: nothing is lost and nothing grows while requests keep coming."""

from __future__ import annotations

from pathlib import Path

from tests.bench.soak import MOST_GROWTH_MB, WARM, measure


async def test_client_proxies_and_clickhouse_count_the_same(tmp_path: Path) -> None:
    figures = await measure(tmp_path, seconds=20, rate=200)
    assert figures.requests == WARM + 4000
    assert set(figures.counted) == {"front outbound", "back inbound"}
    assert figures.agree, figures
    assert max(figures.grown_mb["front"], figures.grown_mb["back"]) < MOST_GROWTH_MB
