"""A disk that is full or cannot be written: nothing acknowledged is lost, and the message says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collector.test_nothing_lost import stored
from tests.world import otlp_requests as world
from tests.world.collectors import FREE_PORTS, Collector, collector
from tests.world.disks import Disk, disk
from tests.world.processes import until

SPANS = 100


def send(served: Collector) -> tuple[int, set[str]]:
    """The status of a request, and the spans in it."""
    spans = [world.span(attributes=[world.attribute("text", "x" * 200)]) for _ in range(SPANS)]
    status = served.send(world.request(*spans, service="lost-and-found").SerializeToString())
    return status, {span.span_id.hex() for span in spans}


def refused(small: Disk, folder: Path, *arguments: str) -> str:
    """What a collector says that does not start."""
    with small.running("collector", *FREE_PORTS, *arguments, log=folder / "refused.log") as process:
        assert process.wait(90) == 2, process.output()
        return process.output()


def test_a_disk_that_fills_up_under_load_and_has_room_again(tmp_path: Path) -> None:
    config = tmp_path / "collector.yaml"
    config.write_text("write: {wait_ms: 2000}\nown_spans: false\ncanary_s: 0\n")
    taken: set[str] = set()
    with disk(tmp_path / "disk", megabytes=64) as small:
        arguments = ("--config", str(config), "--data", str(small.path / "data"))
        with collector(tmp_path, *arguments, launch=small.running) as served:
            small.fill(leave=400_000)
            while (answer := send(served))[0] == 200:
                taken |= answer[1]
            assert answer[0] == 503
            small.fill()
            assert taken, "the log took some"
            until(lambda: "insert of" in served.process.output(), "an insert that fails")
            assert served.metric("whymesh_collector_log_requests") > 0, "they are in the log alone"
            told = served.process.output()
            assert "cannot be written: No space left on device; make room there or give `wal.folder` another" in told
            labels = '{cause="log_unwritable",signal="traces"}'
            assert served.metric(f"whymesh_collector_refused_requests_total{labels}") == 1
            served.process.kill()
        small.fill()
        assert "No space left on device" in refused(small, tmp_path, *arguments)
        small.free()
        with collector(tmp_path, *arguments, launch=small.running) as served:
            status, spans = send(served)
            assert status == 200
            assert sorted(stored(served)) == sorted(taken | spans)


@pytest.mark.parametrize(
    ("wal", "told"),
    [
        ("disk/data/wal", "cannot be written: Read-only file system; mount it to be written or give `wal.folder`"),
        ("wal", "data/clickhouse cannot be written: Read-only file system; mount it to be written or give --data"),
    ],
    ids=["of both", "of the tables alone"],
)
def test_a_disk_that_turns_read_only_under_load_and_back(tmp_path: Path, wal: str, told: str) -> None:
    config = tmp_path / "collector.yaml"
    config.write_text(f"wal: {{folder: {tmp_path / wal}, segment_bytes: 65536}}\nown_spans: false\ncanary_s: 0\n")
    taken: set[str] = set()

    def taken_now() -> bool:
        status, spans = send(served)
        taken.update(spans if status == 200 else ())
        return status == 200

    def told_while_sending() -> bool:
        taken_now()
        return told in served.process.output()

    with disk(tmp_path / "disk", megabytes=64) as small:
        arguments = ("--config", str(config), "--data", str(small.path / "data"))
        with collector(tmp_path, *arguments, launch=small.running) as served:
            assert taken_now()
            served.settle()
            small.turn_read_only()
            until(told_while_sending, "what is wrong to be said")
            assert len(taken) > SPANS, "the log took some into the file that it had open"
            assert served.metric("whymesh_collector_log_requests") > 0, "they are in the log alone"
            small.turn_writable()
            until(taken_now, "the log to take requests again")
            served.settle()
            assert sorted(stored(served)) == sorted(taken)
            served.process.kill()
        with collector(tmp_path, *arguments, launch=small.running) as served:
            assert sorted(stored(served)) == sorted(taken)


@pytest.mark.parametrize(
    ("flag", "told"),
    [("data", "the data directory {} cannot be written"), ("wal", "the write-ahead log in {} cannot be written")],
)
def test_a_disk_that_cannot_be_written_is_told_at_the_start(tmp_path: Path, flag: str, told: str) -> None:
    with disk(tmp_path / "disk", megabytes=1) as small:
        small.make_read_only()
        config = tmp_path / "collector.yaml"
        config.write_text("" if flag == "data" else f"wal: {{folder: {small.path}}}\n")
        data = small.path if flag == "data" else tmp_path / "data"
        said = refused(small, tmp_path, "--config", str(config), "--data", str(data))
        assert f"{told.format(small.path)}: Read-only file system; mount it to be written or give" in said
        assert "Traceback" not in said
