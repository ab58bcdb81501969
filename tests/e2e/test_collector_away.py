"""Kill -9 of the collector under load: no request fails, each span is stored once (tests/bench/collector_away.py)."""

from __future__ import annotations

from pathlib import Path

from tests.bench.collector_away import measure


async def test_a_killed_collector_costs_no_request_and_no_span(tmp_path: Path) -> None:
    seen = await measure(tmp_path, seconds=3, rate=200)
    assert seen.failed == 0
    assert seen.requests == seen.recorded > 800
    assert (seen.lost, seen.repeated, seen.dropped) == (0, 0, {})
    assert seen.spool_peak_bytes > 0
