"""What a client hears of a query's progress adds up to what was read."""

from __future__ import annotations

from collector.store.doors.pace import Pace
from collector.store.doors.protocol import REVISION, progress
from collector.store.running import Progress
from tests.world.stores import ServedStore


def test_what_was_told_ahead_is_not_told_again() -> None:
    told: list[bytes] = []
    pace = Pace(REVISION, told.append)
    pace.told(Progress(10, 100, 50, 1))
    pace.told(Progress(10, 100, 50, 2))
    pace.told(Progress(30, 300, 60, 3))
    pace.read(25, 250)
    pace.read(15, 150)
    assert told == [
        progress(REVISION, 10, 100, more=50),
        progress(REVISION, 20, 200, more=10),
        progress(REVISION, 10, 100),
    ]


def test_a_long_query_says_how_far_it_is_before_it_has_rows(served: ServedStore) -> None:
    with served.client() as client:
        asked = "SELECT sum(sleepEachRow(0.1)) FROM numbers(10) SETTINGS max_block_size = 1"
        steps = list(client.execute_with_progress(asked))
        assert len(steps) > 1
        assert client.last_query.progress.rows == 10
        assert client.last_query.progress.bytes == 80
