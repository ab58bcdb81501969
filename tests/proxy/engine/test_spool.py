"""Spans wait on disk while the collector is away: in order, bounded, for the next process too."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.engine.test_export import calls, dropped
from tests.world.engines import Sidecar, sidecar
from tests.world.otlp_sink import OtlpSink, eventually, otlp_sink
from tests.world.processes import free_port

AWAY = "http://127.0.0.1:{}/v1/traces"


def spool_of(front: Sidecar) -> dict[str, Any]:
    spool: dict[str, Any] = front.stats()["export"]["spool"]
    return spool


async def spooled(front: Sidecar, count: int) -> None:
    await eventually(lambda: spool_of(front)["records"] == count, lambda: str(front.stats()["export"]))


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool"))


async def test_spans_wait_on_disk_and_arrive_once_in_order(tmp_path: Path) -> None:
    port = free_port()
    async with sidecar(
        "front", calls=(), telemetry=AWAY.format(port), spool=tmp_path, queue_records=1_024, batch_records=100
    ) as front:
        for part in range(1, 4):
            await calls(front, 1_000)
            await spooled(front, part * 1_000)
        records = front.stats()["records"]
        assert (records["recorded"], records["pending"], dropped(front)) == (3_000, 3_000, {}), "three times the queue"
        assert front.stats()["export"]["away"]
        assert segments(tmp_path)
        async with otlp_sink(port) as sink:
            await front.idle()
            await calls(front, 100)
            await front.idle()
        assert len({span.span for span in sink.spans}) == len(sink.spans) == 3_100
        parts = [sink.spans[at : at + 1_000] for at in range(0, 3_000, 1_000)]
        ends = [(min(s.end_ns for s in part), max(s.end_ns for s in part)) for part in parts]
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(ends)), "oldest first"
        assert not front.stats()["export"]["away"]
        assert (spool_of(front)["records"], spool_of(front)["bytes"]) == (0, 0)
        assert spool_of(front)["peak_bytes"] > 0
        assert segments(tmp_path) == []


async def test_the_next_process_sends_what_this_one_could_not(tmp_path: Path, sink: OtlpSink) -> None:
    async with sidecar("front", calls=(), telemetry=AWAY.format(free_port()), spool=tmp_path) as front:
        await calls(front, 300)
        assert await front.drain(), "what is on disk is safe"
        assert front.stats()["records"]["pending"] == spool_of(front)["records"] == 300
    async with sidecar("front", calls=(), telemetry=sink.url, spool=tmp_path) as front:
        await calls(front, 10)
        await front.idle()
        records = front.stats()["records"]
        assert (records["recovered"], records["recorded"], records["exported"]) == (300, 310, 310)
    assert len({span.span for span in sink.spans}) == len(sink.spans) == 310


KILLED = """
import asyncio, os, sys
from pathlib import Path
from tests.proxy.engine.test_export import calls
from tests.world.engines import sidecar

async def main() -> None:
    async with sidecar("front", calls=(), telemetry=sys.argv[1], spool=Path(sys.argv[2])) as front:
        await calls(front, 500)
        while front.stats()["export"]["spool"]["records"] < 500:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), 9)

asyncio.run(main())
"""


async def test_kill_9_of_the_proxy_loses_nothing_that_is_on_disk(tmp_path: Path, sink: OtlpSink) -> None:
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, AWAY.format(free_port()), str(tmp_path), cwd=Path(__file__).parents[3]
    )
    assert await killed.wait() == -signal.SIGKILL
    whole = segments(tmp_path)[-1]
    with whole.open("ab") as torn:
        torn.write(b"WMB1 half a batch")
    async with sidecar("front", calls=(), telemetry=sink.url, spool=tmp_path) as front:
        await eventually(lambda: front.stats()["records"]["recovered"] == 500, lambda: str(front.stats()))
        await front.idle()
        assert spool_of(front)["torn"] == 1
    assert len({span.span for span in sink.spans}) == len(sink.spans) == 500


async def test_a_full_spool_drops_the_oldest_and_counts(tmp_path: Path) -> None:
    port, quota = free_port(), 1 << 20
    async with sidecar(
        "front",
        calls=(),
        telemetry=AWAY.format(port),
        spool=tmp_path,
        batch_records=20,
        export={"spool_bytes": quota},
    ) as front:
        await calls(front, 24_000)
        await eventually(
            lambda: front.stats()["records"]["pending"] == spool_of(front)["records"], lambda: str(front.stats())
        )
        assert spool_of(front)["bytes"] <= spool_of(front)["peak_bytes"] <= quota
        assert sum(path.stat().st_size for path in segments(tmp_path)) <= quota
        causes = dropped(front)
        assert set(causes) == {"spool_full"}
        async with otlp_sink(port) as sink:
            await front.idle()
        assert len({span.span for span in sink.spans}) == len(sink.spans) == 24_000 - causes["spool_full"]


async def test_a_damaged_batch_is_passed_over_and_counted(tmp_path: Path) -> None:
    port = free_port()
    async with sidecar(
        "front", calls=(), telemetry=AWAY.format(port), spool=tmp_path, batch_records=100, workers=1
    ) as front:
        await calls(front, 1_000)
        await spooled(front, 1_000)
        first = segments(tmp_path)[0]
        damaged = bytearray(first.read_bytes())
        damaged[200] ^= 0xFF
        first.write_bytes(bytes(damaged))
        async with otlp_sink(port) as sink:
            await front.idle()
        lost = dropped(front)
        assert set(lost) == {"spool_damaged"}
        assert len(sink.spans) == 1_000 - lost["spool_damaged"]


@pytest.mark.parametrize("hindrance", ["a file in its place", "held by another proxy"])
async def test_a_directory_that_cannot_be_used_is_named_and_memory_serves(tmp_path: Path, hindrance: str) -> None:
    spool, port, holder = tmp_path / "spool", free_port(), contextlib.AsyncExitStack()
    if hindrance == "a file in its place":
        spool.write_text("in the way")
    else:
        first = await holder.enter_async_context(
            sidecar("first", calls=(), telemetry=AWAY.format(free_port()), spool=spool)
        )
        await calls(first, 10)
        await spooled(first, 10)
    async with holder, sidecar("front", calls=(), telemetry=AWAY.format(port), spool=spool) as front:
        await calls(front, 200)
        assert str(spool) in spool_of(front)["problem"]
        assert spool_of(front)["records"] == 0
        async with otlp_sink(port) as sink:
            await front.idle()
        assert len(sink.spans) == 200
        assert dropped(front) == {}


async def test_a_full_disk_is_named_and_memory_serves(tmp_path: Path) -> None:
    port = free_port()
    export = {"spool_bytes": 1 << 20}  # its segments are of 64 KiB
    async with sidecar(
        "front", calls=(), telemetry=AWAY.format(port), spool=tmp_path, batch_records=20, export=export
    ) as front:
        await calls(front, 100)
        await spooled(front, 100)
        (tmp_path / f"{1:016x}.spool").symlink_to("/dev/full")
        load = asyncio.create_task(calls(front, 4_000))
        await eventually(lambda: "No space left" in spool_of(front)["problem"], lambda: str(spool_of(front)))
        await load
        async with otlp_sink(port) as sink:
            await front.idle()
        assert len({span.span for span in sink.spans}) == len(sink.spans) == 4_100
        assert dropped(front) == {}


async def test_a_collector_that_hangs_fills_no_queue_and_holds_up_no_stop(tmp_path: Path, sink: OtlpSink) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(1 << 16):
                pass
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    url = AWAY.format(silent.sockets[0].getsockname()[1])
    async with (
        silent,
        sidecar("front", calls=(), telemetry=url, spool=tmp_path, queue_records=1_024, batch_records=100) as front,
    ):
        await calls(front, 3_000)
        await eventually(lambda: spool_of(front)["records"] > 2_000, lambda: str(front.stats()["export"]))
        assert dropped(front) == {}
        assert await front.drain(0.1), "what was under way and what waited are on disk"
        assert front.stats()["records"]["pending"] == spool_of(front)["records"] == 3_000
    async with sidecar("front", calls=(), telemetry=sink.url, spool=tmp_path) as front:
        await front.idle()
    assert len({span.span for span in sink.spans}) == len(sink.spans) == 3_000


async def test_without_a_quota_nothing_is_written(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    async with sidecar(
        "front", calls=(), telemetry=AWAY.format(free_port()), spool=spool, export={"spool_bytes": 0}
    ) as front:
        await calls(front, 100)
        assert not await front.drain(0.1)
        assert not spool.exists()
        assert spool_of(front)["problem"] == ""
