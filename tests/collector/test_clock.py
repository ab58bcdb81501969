"""A clock that jumps back and forth: nothing acknowledged is lost or stored twice, and no day is dropped for it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from collector.keep.calendar import QUIET_S, Calendar
from tests.collector.test_nothing_lost import SPANS, stored
from tests.world import otlp_requests as world
from tests.world.collectors import collector
from tests.world.processes import Process, running

DAY_S = 86_400.0


class Clocks:
    """One that may be set, and one that only runs."""

    def __init__(self) -> None:
        self.wall, self.ran = 1_000 * DAY_S, 50.0

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.ran += seconds

    def calendar(self) -> Calendar:
        return Calendar(lambda: self.wall, lambda: self.ran)


def test_a_day_is_told_while_the_clock_is_steady_and_an_hour_after_it_jumped() -> None:
    clocks = Clocks()
    calendar = clocks.calendar()
    for _ in range(3):
        clocks.passes(DAY_S)
        clocks.wall += 60  # is corrected a little
        day = calendar.today()
        assert day is not None
    assert day == date(1972, 9, 30)
    clocks.wall += 365 * DAY_S
    assert calendar.today() is None
    clocks.wall -= 365 * DAY_S
    clocks.passes(QUIET_S - 1)
    assert calendar.today() is None, "it jumped back"
    clocks.passes(QUIET_S - 1)
    assert calendar.today() is None, "an hour from when it was seen"
    clocks.passes(2)
    assert calendar.today() == date(1972, 9, 30)


@contextlib.contextmanager
def jumping(module: str, *arguments: str, log: Path) -> Iterator[Process]:
    with running("tests.world.jumping", module, *arguments, log=log) as process:
        yield process


def logs() -> bytes:
    """Records that know no time: the one they are received at becomes theirs."""
    records = [LogRecord(body=AnyValue(string_value=str(place))) for place in range(SPANS)]
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])]
    ).SerializeToString()


def test_what_is_taken_while_the_clock_jumps_is_stored_once(tmp_path: Path) -> None:
    sent = 0
    for _ in range(2):
        with collector(tmp_path, launch=jumping) as served:
            for jump in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1):
                spans = [world.span() for _ in range(SPANS)]
                body = world.request(*spans, service="lost-and-found").SerializeToString()
                assert served.send(body) == 200
                assert served.send(logs(), "/v1/logs") == 200
                sent += SPANS
                os.kill(served.process.pid, jump)
            served.process.kill()
    with collector(tmp_path) as served:
        found = stored(served)
        records = served.query("SELECT count() FROM otel.otel_logs")
    assert (len(found), len(set(found)), records) == (sent, sent, [(sent,)])
