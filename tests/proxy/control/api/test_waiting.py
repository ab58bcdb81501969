"""Who has to go when more connections wait than may."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.control.api.waiting import Waiting


def test_the_oldest_of_its_address_goes_for_one_too_many() -> None:
    waiting: Waiting[int] = Waiting(of_one=2, of_all=10)
    assert [waiting.begin(one, "slow") for one in (1, 2)] == [None, None]
    assert waiting.begin(9, "quick") is None
    assert [waiting.begin(one, "slow") for one in (3, 4)] == [1, 2]
    assert len(waiting) == 3


def test_whoever_has_most_gives_when_all_are_too_many() -> None:
    waiting: Waiting[int] = Waiting(of_one=10, of_all=3)
    for one in (1, 2):
        waiting.begin(one, "many")
    waiting.begin(3, "few")
    assert waiting.begin(4, "fewer") == 1
    assert waiting.begin(5, "few") in (3, 2)


def test_who_asks_is_counted_no_more_until_it_waits_again() -> None:
    waiting: Waiting[int] = Waiting(of_one=1, of_all=10)
    waiting.begin(1, "a")
    waiting.end(1, "a")
    waiting.end(1, "a")
    assert len(waiting) == 0
    assert waiting.begin(2, "a") is None
    assert waiting.begin(1, "a") == 2


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=200))
def test_there_are_never_more_than_may_be(steps: list[tuple[int, bool]]) -> None:
    waiting: Waiting[int] = Waiting(of_one=3, of_all=7)
    present: set[int] = set()
    for one, comes in steps:
        address = f"host-{one % 5}"
        if comes:
            present.add(one)
            present.discard(-1 if (left := waiting.begin(one, address)) is None else left)
        else:
            waiting.end(one, address)
            present.discard(one)
        assert len(waiting) == len(present) <= 7
        assert all(sum(one % 5 == host for one in present) <= 3 for host in range(5))
