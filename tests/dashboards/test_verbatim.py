"""Text from the wire stays text."""

from itertools import pairwise

import pytest

from dashboards.verbatim import plain


@pytest.mark.parametrize(
    "text", ["![x](http://evil/x.png)", "[a](b)", "**b**", ":red[x]", ":material/home:", "<b>", "$x$"]
)
def test_nothing_in_a_name_is_markup(text: str) -> None:
    escaped = plain(text)
    assert escaped.replace("\\", "") == text
    assert all(before == "\\" for before, after in pairwise(escaped) if after in "[]()*:<>$!")


def test_a_name_stays_on_one_line_and_readable() -> None:
    assert plain("GET  /carts\n# heading") == "GET /carts \\# heading"
    assert plain("payments") == "payments"
