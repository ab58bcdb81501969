"""What keys mean, and what the operator sees."""

from __future__ import annotations

import io
from collections import Counter

from rich.console import Console

from deploy.demo.decisions import Decisions
from deploy.demo.order import order
from deploy.demo.screen import KINDS_OF_KEYS, SERVICES, Reading, picture, press
from deploy.local.ports import Ports


def test_digits_select_and_letters_break_what_is_selected() -> None:
    selected = press("4", SERVICES[0]).selected
    assert selected == SERVICES[3]
    for key, kind in KINDS_OF_KEYS.items():
        assert press(key, selected).order == order(selected, kind)
    assert press("h", selected).heal
    assert press("q", selected).quit
    assert press("9", selected) == press("?", selected) == press("\x1b", selected)


def test_the_picture_tells_figures_faults_and_the_verdict() -> None:
    reading = Reading(
        load={"rate": 39.7, "error_share": 0.25, "p50_ms": 31.0, "p95_ms": 348.0},
        why={"state": "degraded", "summary": "payments is slow"},
        spans=12_345,
        decisions=Decisions(9_876, Counter({("cart", "payments"): 2, ("", "edge"): 1})),
    )
    shown = drawn(reading)
    for part in ("40 requests/s", "25.0% errors", "p95 348 ms", "12,345 spans", "payments:latency:300ms",
                 "payments is slow", "selected: cart", "http://127.0.0.1:8501", "strict mTLS",
                 "9,876 requests allowed, 3 denied (cart -> payments, outside -> edge)"):  # fmt: skip
        assert part in shown


def test_the_picture_says_when_nothing_is_protected() -> None:
    assert "in the clear, anyone may ask anything (--plain)" in drawn(Reading(decisions=None))
    assert "0 requests allowed, none denied" in drawn(Reading())


def drawn(reading: Reading) -> str:
    console = Console(file=io.StringIO(), record=True, width=160)
    console.print(picture(reading, {"payments": order("payments", "latency")}, "cart", Ports(), ui=True))
    return console.export_text()
