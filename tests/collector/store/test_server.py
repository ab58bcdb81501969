"""What only a server's store meets: lost answers, a server that is away, accounts that may not make tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clickhouse_driver import Client

from collector.store.errors import QueryFailed, StoreRejected, StoreUnavailable
from collector.store.migrate import OBJECTS
from collector.store.server import ServerStore
from collector.store.url import StoreUrl
from tests.collector.store.spans import mesh_block
from tests.world.homes import called, event_loop, served_elsewhere, server_home
from tests.world.processes import free_port
from tests.world.relay import relay
from tests.world.stores import StoreProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    with served_elsewhere(tmp_path_factory.mktemp("server")) as process:
        yield process


def owner(port: int) -> str:
    return f"clickhouse://owner@127.0.0.1:{port}/otel"


def test_tables_are_made_once(server: StoreProcess) -> None:
    for _ in range(2):
        with server_home(owner(server.port)) as home:
            made = home.call(home.store.ask("SELECT Name FROM otel.mesh_migrations ORDER BY AppliedAt, Name"))
    assert {row["Name"] for row in made} == set(OBJECTS)
    assert len(made) == len(OBJECTS)


def test_an_insert_whose_answer_was_lost_is_stored_once(server: StoreProcess) -> None:
    block = mesh_block(9, destination="lost-answer")
    with relay(server.port) as between, server_home(owner(between.port)) as home:
        between.deaf.set()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            home.call(home.store.insert("otel_traces", [block], "lost-1"))
        between.deaf.clear()
        count = "SELECT count() AS n FROM otel.otel_traces WHERE ServiceName = 'lost-answer'"
        assert home.call(home.store.ask(count)) == [{"n": 9}], "the server had stored it"
        home.call(home.store.insert("otel_traces", [block], "lost-1"))
        assert home.call(home.store.ask(count)) == [{"n": 9}]
        calls = "SELECT sum(Calls) AS n FROM otel.mesh_edges WHERE Destination = 'lost-answer'"
        assert home.call(home.store.ask(calls)) == [{"n": 9}]


def test_a_server_that_is_away_is_waited_for_by_the_insert_and_not_by_the_start() -> None:
    port = free_port()
    with server_home(owner(port)) as home, pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}/otel does not"):
        home.call(home.store.insert("otel_traces", [mesh_block(1)]))


def test_bytes_that_are_no_block_never_reach_the_server(server: StoreProcess) -> None:
    with server_home(owner(server.port)) as home:
        for wrong in (b"\xff\xff\xff", mesh_block(3)[:-5]):
            with pytest.raises(StoreRejected, match=r"otel_traces: Code: 117\. .*Native block"):
                home.call(home.store.insert("otel_traces", [mesh_block(1), wrong]))


def test_an_account_that_may_not_make_tables_is_told_so_at_the_start(server: StoreProcess) -> None:
    with server_home(owner(server.port)), Client("127.0.0.1", server.port, user="owner") as client:
        client.execute("DROP TABLE otel.mesh_alarms")
        client.execute("TRUNCATE TABLE otel.mesh_migrations")
    writer = StoreUrl.parse(f"clickhouse://writer@127.0.0.1:{server.port}/otel")
    with event_loop() as loop:
        with pytest.raises(QueryFailed, match="do not run CREATE statements"):
            called(loop, ServerStore.open(writer))
        store = called(loop, ServerStore.open(writer, create=False))
        assert called(loop, store.insert("otel_traces", [mesh_block(2, destination="by-writer")])) >= 2
        called(loop, store.close())
