"""What is said of a reason on the terminal is what the book says, for each of them."""

from __future__ import annotations

import pytest

from deploy.reasons import advice
from proxy import _engine


@pytest.mark.parametrize("code", sorted(_engine.REASONS))
def test_every_reason_has_a_cause_and_a_next_step_in_plain_text(code: str) -> None:
    found = advice(code)
    assert found is not None
    for text in (found.cause, found.next):
        assert text.endswith((".", "?")), text
        assert not any(mark in text for mark in ("`", "**", "]("))


def test_what_is_no_reason_has_none() -> None:
    assert advice("no_such_reason") is None
    assert advice(".*") is None
