"""Lines fit the terminal they are for, lose nothing, and stay whole in a pipe."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deploy.lines import columns, hung
from deploy.sql_table import drawn

WORDS = st.lists(st.text("abc-/.", min_size=1, max_size=30), min_size=1, max_size=30)


@given(WORDS, st.integers(0, 100), st.integers(10, 130))
def test_nothing_is_lost_and_only_a_single_word_is_wider(words: list[str], hang: int, wide: int) -> None:
    text = " ".join(words)
    assert hung(text, hang, None) == text
    lines = hung(text, hang, wide).split("\n")
    assert [word for line in lines for word in line.split()] == words
    for line in lines:
        assert len(line) <= wide or len(line.split()) == 1


def test_the_last_column_wraps_under_itself_or_stands_below() -> None:
    rows = [("NAME", "WHY"), ("payments-1", "the control plane has not heard of it for a minute")]
    assert columns(rows, None).splitlines() == ["NAME        WHY", f"payments-1  {rows[1][1]}"]
    assert columns(rows, 50).splitlines() == [
        "NAME        WHY",
        "payments-1  the control plane has not heard of it",
        "            for a minute",
    ]
    assert columns(rows, 34).splitlines() == [
        "NAME",
        "    WHY",
        "payments-1",
        "    the control plane has not",
        "    heard of it for a minute",
    ]


def test_a_column_that_says_nothing_is_left_out() -> None:
    assert columns([("NAME", "SINCE", "WHY"), ("a", "", ""), ("b", "", "late")], 80).splitlines() == [
        "NAME  WHY",
        "a",
        "b     late",
    ]
    assert columns([("NAME", "WHY")], 80) == "NAME  WHY"


def test_a_table_that_is_too_wide_is_a_block_for_each_row() -> None:
    names, rows = ["service", "trace"], [["payments", "f" * 32], ["cart", ""]]
    table = ["service   trace", f"--------  {'-' * 32}", f"payments  {'f' * 32}", "cart", "2 rows"]
    assert drawn(names, rows, 80).splitlines() == table
    assert drawn(names, rows, None).splitlines() == table
    assert drawn(names, rows, 41).splitlines() == [
        "-- row 1",
        "service  payments",
        f"trace    {'f' * 32}",
        "-- row 2",
        "service  cart",
        "trace",
        "2 rows",
    ]
    assert drawn(names, [], 10).splitlines()[-1] == "0 rows"
