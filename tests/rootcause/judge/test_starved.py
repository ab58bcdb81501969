"""Whose a slow link is, when several of one service are slow."""

from __future__ import annotations

from rootcause.judge.diagnose import diagnose
from rootcause.load.window import Bucket, Called, Interval, Served, Window

CALLS = 40
WORK_MS = {"front": 400.0, "cart": 300.0, "stock": 20.0, "prices": 30.0, "other": 200.0, "ads": 15.0, "mail": 25.0}
LINKS = (
    ("front", "cart"),
    ("cart", "stock"),
    ("cart", "prices"),
    ("front", "other"),
    ("other", "stock"),
    ("other", "ads"),
    ("other", "mail"),
)


def window(start: float, slower: dict[tuple[str, str], float]) -> Window:
    """Six buckets of a front that calls cart (which calls stock and prices) and others; each link waits 5 ms more than
    its callee works, or as many more as `slower` says. Nobody's own time changes."""
    at = [start + 10 * step for step in range(6)]
    added = {service: sum(ms for (source, _), ms in slower.items() if source == service) for service in WORK_MS}
    added["front"] += added["cart"] + added["other"]
    served = tuple(
        Served(
            service,
            "",
            f"{service}-1",
            "/",
            service == "front",
            tuple(Bucket(t, CALLS, 0, CALLS * (ms + added[service]), 0, CALLS * 10.0, CALLS) for t in at),
        )
        for service, ms in WORK_MS.items()
    )
    called = tuple(
        Called(
            by_source,
            *ends,
            f"{ends[0]}-1",
            "",
            f"{ends[1]}-1",
            tuple(Bucket(t, CALLS, 0, CALLS * (_worked(ends[1], added) + more)) for t in at),
        )
        for ends in LINKS
        for by_source, more in ((True, 5.0 + slower.get(ends, 0.0)), (False, 0.0))
    )
    return Window((Interval(start, start + 60),), served, called)


def _worked(service: str, added: dict[str, float]) -> float:
    return WORK_MS[service] + added[service]


def blamed(*slow: tuple[str, str]) -> list[str]:
    found = diagnose(window(0.0, {}), window(100.0, dict.fromkeys(slow, 60.0)))
    return [suspect.service for suspect in found.suspects[: found.blamed]]


def test_what_all_slow_links_have_in_common_is_at_fault() -> None:
    assert blamed(*LINKS[:3]) == ["cart"], "waited for longer than it works, and waiting longer for whomever it calls"


def test_a_callee_that_is_slow_for_others_too_is_at_fault_itself() -> None:
    assert blamed(("cart", "stock"), ("other", "stock")) == ["stock"]


def test_one_slow_link_is_the_callee_s() -> None:
    assert blamed(("cart", "prices")) == ["prices"]
