"""The pages are tested against a real store, filled once for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.world.telemetry import seeded_store


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a store with ten minutes of the shop and an open incident."""
    with seeded_store(tmp_path_factory.mktemp("shop")) as url:
        yield url


@pytest.fixture(scope="package")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a store without a row."""
    with seeded_store(tmp_path_factory.mktemp("nothing"), "empty") as url:
        yield url


@pytest.fixture(scope="package")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a store with a minute of the shop in which nothing went wrong."""
    with seeded_store(tmp_path_factory.mktemp("calm"), "calm") as url:
        yield url
