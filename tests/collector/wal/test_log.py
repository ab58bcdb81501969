"""The log on a real disk: what was answered is found again, what is stored makes room, what does not fit is refused."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from collector.errors import LogFull, LogOfOtherVersion, LogUnwritable
from collector.receive.request import Form, Request, Taken
from collector.receive.signals import Signal
from collector.wal.log import Log
from collector.wal.policy import Fsync, Policy
from collector.wal.record import UNDECIDED, Decided, Outcome, Partition
from tests.world.otlp_sink import eventually

TRACES, LOGS = Partition("otel_traces", 20_000), Partition("otel_logs", 20_000)
SMALL = Policy(limit_bytes=40_000, segment_bytes=10_000, batches=5)


def request(place: int, size: int = 10) -> Request:
    return Request(Signal.TRACES, bytes([place % 256]) * size, Form(batch=place.to_bytes(16, "big")), place)


@pytest.fixture
async def open_log(tmp_path: Path) -> AsyncIterator[Callable[..., Log]]:
    opened: list[Log] = []

    def open_log(policy: Policy = SMALL) -> Log:
        opened.append(Log.open(tmp_path / "wal", tmp_path, policy))
        return opened[-1]

    yield open_log
    for log in opened:
        await log.close()


def files(folder: Path) -> list[Path]:
    return sorted((folder / "wal").glob("*.wal"))


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
async def test_what_was_answered_is_found_by_the_next_process(open_log: Callable[..., Log], fsync: Fsync) -> None:
    log = open_log(Policy(fsync=fsync, interval_s=0.01))
    await log.start()
    numbers = await asyncio.gather(*(log.append(request(place), 1, Taken(place, "why")) for place in range(1, 50)))
    assert numbers == list(range(1, 50))
    # The first process is not closed: it may have been killed.
    found = open_log()
    assert [await found.read(number) for number in found.recovered.requests] == [request(place) for place in numbers]
    assert found.batches.get((49).to_bytes(16, "big")) == Taken(49, "why")
    await found.start()
    assert await found.append(request(50), 1, Taken()) == 50


async def test_a_log_of_another_version_is_left_as_it_is(open_log: Callable[..., Log], tmp_path: Path) -> None:
    (tmp_path / "wal").mkdir()
    earlier = tmp_path / "wal" / "000000000001.wal"
    earlier.write_bytes(b"whymesh log 1\n" + b"accepted")
    with pytest.raises(LogOfOtherVersion, match="let that version store it"):
        open_log()
    assert earlier.read_bytes().endswith(b"accepted")


async def test_a_log_of_the_version_before_is_read(open_log: Callable[..., Log], tmp_path: Path) -> None:
    log = open_log()
    await log.start()
    await log.append(request(1), 1, Taken())
    (segment,) = files(tmp_path)
    segment.write_bytes(segment.read_bytes().replace(b"whymesh log 3\n", b"whymesh log 2\n", 1))
    assert list(open_log().recovered.requests) == [1]


async def test_what_waits_for_a_decision_keeps_its_segment_until_it_is_stored(
    open_log: Callable[..., Log], tmp_path: Path
) -> None:
    log = open_log()
    await log.start()
    waits, decided = [await log.append(request(place), UNDECIDED, Taken()) for place in (1, 2)]
    await log.decided([Decided(decided, b"verdict")])
    for place in range(3, 15):
        log.finished(await log.append(request(place, 2_000), 1, Taken()))
    assert len(files(tmp_path)) > 1, "the first segment stays"
    found = open_log()
    assert (found.recovered.undecided, sorted(found.recovered.requests)) == ([waits], [waits, decided, *range(3, 15)])
    assert (await found.read(decided)).verdict == b"verdict"
    log.finished(waits)
    log.finished(decided)
    await eventually(lambda: len(files(tmp_path)) == 1, "room to be made")


async def test_what_is_stored_is_not_found_again_and_what_may_be_stored_is_told(open_log: Callable[..., Log]) -> None:
    log = open_log()
    await log.start()
    numbers = [await log.append(request(place), 2, Taken()) for place in range(6)]
    for partition, token in ((TRACES, b"a" * 16), (LOGS, b"b" * 16)):
        await log.inserting(token, partition, tuple(numbers[:2]))
        log.settled(token, Outcome.STORED)
    await log.inserting(b"c" * 16, TRACES, tuple(numbers[2:4]))
    log.settled(b"c" * 16, Outcome.VOID)
    await log.inserting(b"d" * 16, TRACES, tuple(numbers[4:]))
    await log.inserting(b"e" * 16, LOGS, tuple(numbers[4:5]))
    log.settled(b"e" * 16, Outcome.DROPPED)
    await log.close()

    found = open_log().recovered
    assert list(found.requests) == numbers[2:]
    assert {number: one.stored for number, one in found.requests.items() if one.stored} == {numbers[4]: {LOGS}}
    assert [(insert.partition, insert.numbers) for insert in found.open.values()] == [(TRACES, tuple(numbers[4:]))]


async def test_segments_go_once_nothing_needs_them_and_batches_stay_known(
    open_log: Callable[..., Log], tmp_path: Path
) -> None:
    log = open_log()
    await log.start()
    numbers = [await log.append(request(place, 3_000), 1, Taken()) for place in range(1, 10)]
    assert len(files(tmp_path)) >= 3
    for number in numbers[1:]:
        log.finished(number)
    await log.append(request(99), 1, Taken())
    assert len(files(tmp_path)) >= 3, "the first is needed, and those after it say what became of its requests"
    log.finished(numbers[0])
    await eventually(lambda: len(files(tmp_path)) == 1, "the other segments to go")
    assert log.requests == 1
    await log.close()
    known = open_log().batches
    assert [place for place in range(1, 10) if known.get(place.to_bytes(16, "big"))] == [6, 7, 8, 9]


async def test_a_full_log_refuses_until_the_store_has_caught_up(open_log: Callable[..., Log], tmp_path: Path) -> None:
    log = open_log()
    await log.start()
    taken = [await log.append(request(place, 2_000), 1, Taken()) for place in range(18)]
    with pytest.raises(LogFull, match=r"limit is 40000: try again") as caught:
        await asyncio.gather(*(log.append(request(place, 2_000), 1, Taken()) for place in range(20, 22)))
    assert caught.value.retry_after_s == 5
    assert sum(path.stat().st_size for path in files(tmp_path)) <= SMALL.limit_bytes
    for number in taken:
        log.finished(number)
    assert await log.append(request(101, 2_000), 1, Taken())


async def test_requests_at_one_time_share_a_sync(open_log: Callable[..., Log], monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = []
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        syncs.append(descriptor)
        time.sleep(0.02)
        real(descriptor)

    log = open_log(Policy())
    await log.start()
    monkeypatch.setattr(os, "fdatasync", slow)
    await asyncio.gather(*(log.append(request(place), 1, Taken()) for place in range(200)))
    assert 1 <= len(syncs) <= 3


@pytest.mark.parametrize("call", ["pwritev", "fdatasync"])
async def test_a_disk_that_fails_is_told_and_nothing_of_it_comes_back(
    open_log: Callable[..., Log], monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    log = open_log()
    await log.start()
    first = await log.append(request(1), 1, Taken())

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, call, full)
        with pytest.raises(LogUnwritable, match="No space left on device; make room"):
            await log.append(request(2), 1, Taken())
    assert log.batches.get((2).to_bytes(16, "big")) is None, "it may be sent again"
    again = await log.append(request(2), 1, Taken())
    found = open_log()
    assert list(found.recovered.requests) == [first, again]


@pytest.mark.parametrize("harm", ["cut", "flip", "zeros"])
async def test_an_end_that_was_not_written_whole_is_left_out(
    open_log: Callable[..., Log], tmp_path: Path, harm: str
) -> None:
    log = open_log()
    await log.start()
    for place in range(3):
        await log.append(request(place, 100), 1, Taken())
    await log.close()
    (path,) = files(tmp_path)
    data = path.read_bytes()
    path.write_bytes({"cut": data[:-1], "flip": data[:-1] + b"\xff", "zeros": data + bytes(500)}[harm])
    found = open_log()
    assert len(found.recovered.requests) == (3 if harm == "zeros" else 2)
    assert found.recovered.damaged_bytes > 0
    await found.start()
    await found.append(request(9), 1, Taken())
    await found.close()
    assert len(open_log().recovered.requests) == (4 if harm == "zeros" else 3)
