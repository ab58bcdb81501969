"""The writers with a store that does as the test says: groups, notes, retries, halves, bounds."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from collector.errors import LogUnwritable
from collector.receive.request import Form, Request
from collector.receive.signals import Signal
from collector.store.errors import StoreRejected, StoreUnavailable
from collector.wal.record import Outcome
from collector.write.group import Group, Limits, Waiting
from collector.write.writers import Writers
from tests.world.otlp_sink import eventually

REQUEST = Request(Signal.TRACES, b"", Form(), 0)


@dataclass(frozen=True)
class Block:
    data: bytes
    rows: int = 1
    day: int = 1
    table: str = "otel_traces"


@dataclass
class Store:
    """Keeps what is inserted, unless `refuse` raises for it; notes what it is told before and after, too."""

    refuse: Callable[[Sequence[bytes]], None] = lambda blocks: None
    log_away: int = 0
    inserts: list[list[bytes]] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    attempts: int = 0
    errors: list[Exception | None] = field(default_factory=list)
    begun: set[bytes] = field(default_factory=set)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    dropped: list[tuple[int, str]] = field(default_factory=list)

    async def insert(self, table: str, blocks: Sequence[bytes], token: str) -> None:
        assert bytes.fromhex(token) in self.begun, "an insert is noted before it is made"
        self.tables.append(table)
        self.attempts += 1
        self.tokens.append(token)
        self.refuse(blocks)
        self.inserts.append(list(blocks))

    def inserted(self, group: Group, seconds: float, error: Exception | None) -> None:
        assert seconds >= 0
        self.errors.append(error)

    def unstorable(self, member: Waiting, reason: str) -> None:
        self.dropped.append((member.number, reason))

    async def inserting(self, token: bytes, group: Group) -> None:
        if self.log_away:
            self.log_away -= 1
            raise LogUnwritable("no space left on device")
        self.begun.add(token)

    def settled(self, token: bytes, group: Group, outcome: Outcome) -> None:
        assert token in self.begun
        self.begun.remove(token)
        self.outcomes.update(dict.fromkeys(group.numbers, outcome))


@pytest.fixture
def store() -> Store:
    return Store()


class Sent:
    """Writers before a store, and requests numbered as they are added."""

    def __init__(self, store: Store, **limits: float) -> None:
        settings = {"wait_s": 0.02, "stop_s": 0.3} | limits
        self.writers = Writers(store.insert, store, store, Limits(**settings))  # type: ignore[arg-type]
        self._store = store
        self._numbers = itertools.count(1)

    def add(self, *blocks: Block) -> int:
        number = next(self._numbers)
        self.writers.add(number, REQUEST, blocks)
        return number

    async def until_held(self, count: int) -> None:
        await eventually(lambda: self.writers.held_bytes <= count, "the writers to store")


@pytest.fixture
async def start(store: Store) -> AsyncIterator[Callable[..., Sent]]:
    opened: list[Sent] = []

    def start(**limits: float) -> Sent:
        opened.append(Sent(store, **limits))
        return opened[-1]

    yield start
    for sent in opened:
        await sent.writers.drain()


async def test_requests_share_an_insert(store: Store, start: Callable[..., Sent]) -> None:
    sent = start()
    numbers = [sent.add(Block(bytes([place]))) for place in range(10)]
    await sent.until_held(0)
    assert store.inserts == [[bytes([place]) for place in range(10)]]
    assert store.outcomes == dict.fromkeys(numbers, Outcome.STORED)


async def test_a_full_group_does_not_wait(store: Store, start: Callable[..., Sent]) -> None:
    sent = start(wait_s=60, rows=4)
    for _ in range(4):
        sent.add(Block(b"x", rows=2))
    await sent.until_held(0)
    assert [len(blocks) for blocks in store.inserts] == [2, 2]


@pytest.mark.parametrize(
    ("blocks", "limits"),
    [
        ([Block(b"x", rows=3)] * 3, {"rows": 5}),
        ([Block(b"x" * 30)] * 3, {"group_bytes": 50}),
        ([Block(b"x", day=day) for day in (0, 500, 900)], {}),
    ],
)
async def test_a_group_ends_at_its_limits(
    store: Store, start: Callable[..., Sent], blocks: list[Block], limits: dict[str, float]
) -> None:
    sent = start(**limits)
    for block in blocks:
        sent.add(block)
    await sent.until_held(0)
    assert [len(inserted) for inserted in store.inserts] == [1, 1, 1]


@pytest.mark.parametrize("error", [StoreUnavailable("starting"), RuntimeError("unexpected")])
async def test_a_store_that_comes_back_is_tried_under_the_same_token(
    store: Store, start: Callable[..., Sent], error: Exception
) -> None:
    def away_twice(_: Sequence[bytes]) -> None:
        if store.attempts <= 2:
            raise error

    store.refuse = away_twice
    sent = start()
    number = sent.add(Block(b"a"))
    await sent.until_held(0)
    assert (store.attempts, len(set(store.tokens))) == (3, 1)
    assert [type(one) for one in store.errors] == [type(error), type(error), type(None)]
    assert store.outcomes == {number: Outcome.STORED}


async def test_nothing_is_inserted_that_the_log_could_not_note(store: Store, start: Callable[..., Sent]) -> None:
    store.log_away = 2
    sent = start()
    sent.add(Block(b"a"))
    await sent.until_held(0)
    assert (store.attempts, store.inserts) == (1, [[b"a"]])
    assert [type(one) for one in store.errors] == [LogUnwritable, LogUnwritable, type(None)]


async def test_a_bad_request_does_not_refuse_its_neighbours(store: Store, start: Callable[..., Sent]) -> None:
    def picky(blocks: Sequence[bytes]) -> None:
        if b"bad" in blocks:
            raise StoreRejected("no such column")

    store.refuse = picky
    sent = start()
    numbers = [sent.add(Block(b"bad" if place == 5 else bytes([place]))) for place in range(8)]
    await sent.until_held(0)
    assert store.dropped == [(numbers[5], "no such column")]
    assert store.outcomes == {number: Outcome.DROPPED if number == numbers[5] else Outcome.STORED for number in numbers}
    assert sorted(block for inserted in store.inserts for block in inserted) == [
        bytes([place]) for place in range(8) if place != 5
    ]


async def test_there_is_room_again_once_a_group_is_stored(store: Store, start: Callable[..., Sent]) -> None:
    sent = start(queue_bytes=100, wait_s=0.05)
    assert sent.writers.has_room([Block(b"x" * 300)]), "a request alone always has room"
    sent.add(Block(b"x" * 300))
    assert not sent.writers.has_room([Block(b"y")])
    async with asyncio.timeout(10):
        await sent.writers.room([Block(b"y")])
    assert len(store.inserts) == 1


async def test_a_stop_does_not_wait_for_a_store_that_is_away(store: Store, start: Callable[..., Sent]) -> None:
    def away(_: Sequence[bytes]) -> None:
        raise StoreUnavailable("gone")

    store.refuse = away
    sent = start(wait_s=60, rows=1, stop_s=0.2)
    for _ in range(5):
        sent.add(Block(b"a"))
    async with asyncio.timeout(10):
        await sent.writers.drain()
    assert store.outcomes == {}, "the log keeps them"


async def test_a_stop_stores_what_waits_for_company(store: Store, start: Callable[..., Sent]) -> None:
    sent = start(wait_s=60)
    sent.add(Block(b"a"))
    await sent.writers.drain()
    assert store.inserts == [[b"a"]]


async def test_each_day_has_an_insert_of_its_own(store: Store, start: Callable[..., Sent]) -> None:
    sent = start(wait_s=60, rows=5)
    both = [sent.add(Block(b"a1"), Block(b"a2", day=2)), sent.add(Block(b"b1"), Block(b"b2", day=2))]
    assert sent.writers.held_bytes == 8
    sent.add(Block(b"c1"))
    await sent.until_held(0)
    assert store.inserts == [[b"a1", b"b1", b"c1"], [b"a2", b"b2"]]
    assert len(set(store.tokens)) == 2
    assert {store.outcomes[number] for number in both} == {Outcome.STORED}


async def test_blocks_of_different_tables_go_their_own_ways(store: Store, start: Callable[..., Sent]) -> None:
    sent = start(wait_s=60, rows=2)
    sent.add(Block(b"a"), Block(b"b", table="otel_metrics_sum"))
    sent.add(Block(b"c"))
    await sent.until_held(1)
    assert (store.tables, store.inserts) == (["otel_traces"], [[b"a", b"c"]])
    sent.writers.hurry()
    await sent.until_held(0)
    assert store.inserts[1:] == [[b"b"]]
