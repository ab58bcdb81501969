"""The writers with a store that does as the test says: groups, answers, retries, halves, bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from collector._columnar import MOST_DAYS
from collector.errors import Overloaded, StoreAway, Unstorable
from collector.store.errors import StoreRejected, StoreUnavailable
from collector.write import Group, Limits
from collector.writers import Writers


@dataclass(frozen=True)
class Block:
    data: bytes
    rows: int = 1
    days: tuple[int, ...] = (1,)
    table: str = "otel_traces"


@dataclass
class Store:
    """Keeps what is inserted, unless `refuse` raises for it."""

    refuse: Callable[[Sequence[bytes]], None] = lambda blocks: None
    inserts: list[list[bytes]] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    attempts: int = 0
    errors: list[Exception | None] = field(default_factory=list)

    async def insert(self, table: str, blocks: Sequence[bytes], token: str) -> None:
        self.tables.append(table)
        self.attempts += 1
        self.tokens.append(token)
        self.refuse(blocks)
        self.inserts.append(list(blocks))

    def inserted(self, group: Group, seconds: float, error: Exception | None) -> None:
        assert seconds >= 0
        self.errors.append(error)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def start(store: Store) -> AsyncIterator[Callable[..., Writers]]:
    opened: list[Writers] = []

    def start(**limits: float) -> Writers:
        settings = {"wait_s": 0.02, "deadline_s": 0.3} | limits
        opened.append(Writers(store.insert, store, Limits(**settings)))  # type: ignore[arg-type]
        return opened[-1]

    yield start
    for writers in opened:
        await writers.drain()


async def submit_all(writers: Writers, *blocks: Block) -> list[BaseException | None]:
    return await asyncio.gather(*(writers.submit([block]) for block in blocks), return_exceptions=True)


async def test_requests_share_an_insert(store: Store, start: Callable[..., Writers]) -> None:
    writers = start()
    assert await submit_all(writers, *(Block(bytes([place])) for place in range(10))) == [None] * 10
    assert store.inserts == [[bytes([place]) for place in range(10)]]
    assert writers.held_bytes == 0


async def test_a_full_group_does_not_wait(store: Store, start: Callable[..., Writers]) -> None:
    writers = start(wait_s=60, rows=4)
    async with asyncio.timeout(5):
        await submit_all(writers, *(Block(b"x", rows=2) for _ in range(4)))
    assert [len(blocks) for blocks in store.inserts] == [2, 2]


@pytest.mark.parametrize(
    ("blocks", "limits"),
    [
        ([Block(b"x", rows=3)] * 3, {"rows": 5}),
        ([Block(b"x" * 30)] * 3, {"group_bytes": 50}),
        ([Block(b"x", days=tuple(range(start, start + MOST_DAYS - 1))) for start in (0, 500, 900)], {}),
    ],
)
async def test_a_group_ends_at_its_limits(
    store: Store, start: Callable[..., Writers], blocks: list[Block], limits: dict[str, float]
) -> None:
    assert await submit_all(start(**limits), *blocks) == [None] * 3
    assert [len(inserted) for inserted in store.inserts] == [1, 1, 1]


async def test_a_store_that_comes_back_is_tried_under_the_same_token(
    store: Store, start: Callable[..., Writers]
) -> None:
    def away_once(_: Sequence[bytes]) -> None:
        if store.attempts == 1:
            raise StoreUnavailable("starting")

    store.refuse = away_once
    assert await submit_all(start(deadline_s=5), Block(b"a")) == [None]
    assert store.attempts == 2
    assert len(set(store.tokens)) == 1
    assert [type(error) for error in store.errors] == [StoreUnavailable, type(None)]


async def test_a_store_that_stays_away_is_told_to_senders(store: Store, start: Callable[..., Writers]) -> None:
    def away(_: Sequence[bytes]) -> None:
        raise StoreUnavailable("disk full")

    store.refuse = away
    (error,) = await submit_all(start(), Block(b"a"))
    assert isinstance(error, StoreAway)
    assert "disk full" in str(error)
    assert error.retry_after_s == 5
    assert store.attempts > 1


async def test_a_bad_request_does_not_refuse_its_neighbours(store: Store, start: Callable[..., Writers]) -> None:
    def picky(blocks: Sequence[bytes]) -> None:
        if b"bad" in blocks:
            raise StoreRejected("no such column")

    store.refuse = picky
    blocks = [Block(b"bad" if place == 5 else bytes([place])) for place in range(8)]
    outcomes = await submit_all(start(), *blocks)
    assert [type(outcome) for outcome in outcomes] == [Unstorable if place == 5 else type(None) for place in range(8)]
    assert sorted(block for inserted in store.inserts for block in inserted) == sorted(
        block.data for block in blocks if block.data != b"bad"
    )


async def test_more_than_the_queue_holds_is_turned_away(store: Store, start: Callable[..., Writers]) -> None:
    writers = start(queue_bytes=100, wait_s=0.05)
    outcomes = await submit_all(writers, Block(b"x" * 300), Block(b"y" * 10))
    assert outcomes[0] is None, "a request alone always passes"
    assert isinstance(outcomes[1], Overloaded)
    assert await submit_all(writers, Block(b"z" * 10)) == [None]


async def test_what_was_accepted_is_stored_though_the_sender_left(store: Store, start: Callable[..., Writers]) -> None:
    writers = start(wait_s=60)
    sender = asyncio.create_task(writers.submit([Block(b"a")]))
    await asyncio.sleep(0)
    sender.cancel()
    await writers.drain()
    assert store.inserts == [[b"a"]]


async def test_drain_stores_what_waits_and_ends_when_the_store_is_away(
    store: Store, start: Callable[..., Writers]
) -> None:
    def away(_: Sequence[bytes]) -> None:
        raise StoreUnavailable("gone")

    store.refuse = away
    writers = start(wait_s=60, rows=1, deadline_s=0.2)
    sent = asyncio.gather(*(writers.submit([Block(b"a")]) for _ in range(5)), return_exceptions=True)
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await writers.drain()
    assert [type(outcome) for outcome in await sent] == [StoreAway] * 5


async def test_a_defect_of_the_store_is_retryable_too(store: Store, start: Callable[..., Writers]) -> None:
    def broken(_: Sequence[bytes]) -> None:
        raise RuntimeError("unexpected")

    store.refuse = broken
    (error,) = await submit_all(start(), Block(b"a"))
    assert isinstance(error, StoreAway)
    assert "unexpected" in str(error)


async def test_blocks_of_different_tables_go_their_own_ways(store: Store, start: Callable[..., Writers]) -> None:
    writers = start(wait_s=60, rows=2)
    sums = asyncio.create_task(writers.submit([Block(b"a"), Block(b"b", table="otel_metrics_sum")]))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await writers.submit([Block(b"c")])
    assert (store.tables, store.inserts, sums.done()) == (["otel_traces"], [[b"a", b"c"]], False)
    writers.hurry()
    await sums
    assert store.inserts[1:] == [[b"b"]]
    assert writers.held_bytes == 0


async def test_a_request_fails_as_a_whole_and_is_turned_away_as_a_whole(
    store: Store, start: Callable[..., Writers]
) -> None:
    def picky(blocks: Sequence[bytes]) -> None:
        if b"bad" in blocks:
            raise StoreRejected("no such column")

    store.refuse = picky
    writers = start(queue_bytes=100)
    with pytest.raises(Unstorable):
        await writers.submit([Block(b"bad"), Block(b"good", table="otel_logs")])
    assert store.inserts == [[b"good"]]
    waiting = asyncio.create_task(writers.submit([Block(b"x" * 60)]))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await writers.submit([Block(b"y"), Block(b"z" * 60, table="otel_logs")])
    await waiting
    assert len(store.inserts) == 2, "no block of the second request was taken"
