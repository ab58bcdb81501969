"""One served store for each test module; chDB has one engine in a process, so never two at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.world.stores import ServedStore, served_store


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedStore]:
    with served_store(tmp_path_factory.mktemp("store")) as store:
        yield store
