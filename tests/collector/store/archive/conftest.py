"""A store with rows in every table, all of it as an archive, and another store to import it into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_driver import Client

from collector.store.archive.manifest import Manifest
from collector.store.archive.save import save
from collector.store.archive.tables import TABLES
from collector.store.link import Link
from tests.collector.store.archive.everything import fill
from tests.collector.store.archive.moved import ALL, linked
from tests.world.homes import served_elsewhere
from tests.world.stores import StoreProcess


@pytest.fixture(scope="package")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    """A store with rows in every table."""
    with served_elsewhere(tmp_path_factory.mktemp("source"), tables=True) as server:
        with linked(server, "owner") as link, Client("127.0.0.1", server.port, user="owner") as client:
            fill(link, client)
        yield server


@pytest.fixture(scope="package")
def whole(source: StoreProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it as an archive."""
    folder = tmp_path_factory.mktemp("whole")
    with linked(source) as link:
        assert len(list(save(link, folder, ALL))) == len(Manifest.read(folder).files)
    return folder


@pytest.fixture(scope="package")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    """Another store, emptied before each test."""
    with served_elsewhere(tmp_path_factory.mktemp("other"), tables=True) as server:
        yield server


@pytest.fixture
def target(other: StoreProcess) -> Iterator[Link]:
    with linked(other, "owner") as link:
        for table in TABLES:
            link.execute(f"TRUNCATE TABLE otel.{table}")
        yield link
        assert link.rows("SELECT name FROM system.tables WHERE name LIKE 'mesh_import_%'") == []
