"""What the mesh did itself: refused by rule, or gave up waiting."""

from __future__ import annotations

from rootcause.judge.diagnose import Verdict, diagnose
from rootcause.load.window import Bucket, Called, Interval, Quantiles, Served, Window

NORMAL, QUESTION = Interval(0.0, 300.0), Interval(320.0, 380.0)
CALLS = 40


def spread(ms: float) -> Quantiles:
    return Quantiles(ms, 1.2 * ms, 1.3 * ms, 1.5 * ms)


def buckets(
    within: Interval, ms: float, failed: int = 0, own_failed: int = 0, own_ms: float = 0.0
) -> tuple[Bucket, ...]:
    starts = range(int(within.start), int(within.end), 10)
    return tuple(Bucket(float(at), CALLS, failed, CALLS * ms, own_failed, CALLS * own_ms, CALLS) for at in starts)


def served(within: Interval, service: str, ms: float, own_ms: float, failed: int = 0, own_failed: int = 0) -> Served:
    series = buckets(within, ms, failed, own_failed, own_ms)
    return Served(service, "v1", f"{service}-1", "/", service == "front", series, spread(ms), spread(own_ms))


def called(
    within: Interval, source: str, destination: str, ms: float, failed: int = 0, reasons: dict[str, int] | None = None
) -> tuple[Called, Called]:
    """Both ends; what was lost did not reach the callee, which then failed none of it."""
    lost = sum((reasons or {}).values())
    ends = source, destination, f"{source}-1", "v1", f"{destination}-1"
    return (
        Called(True, *ends, buckets(within, ms, failed), spread(ms), reasons or {}, lost=lost),
        Called(False, *ends, buckets(within, ms)),
    )


HEALTHY = Window(
    (NORMAL,),
    (
        served(NORMAL, "front", 30, 5),
        served(NORMAL, "cart", 24, 4),
        served(NORMAL, "stock", 19, 19),
    ),
    (*called(NORMAL, "front", "cart", 25), *called(NORMAL, "cart", "stock", 20)),
)


def verdict(*rows: Served, calls: tuple[Called, ...]) -> Verdict:
    return diagnose(HEALTHY, Window((QUESTION,), rows, calls))


def test_a_policy_that_denies_a_caller_is_of_the_callee_and_not_of_the_caller_that_fails() -> None:
    found = verdict(
        served(QUESTION, "front", 30, 5),
        served(QUESTION, "cart", 5, 4, failed=CALLS, own_failed=CALLS),
        served(QUESTION, "stock", 1, 1),
        calls=(
            *called(QUESTION, "front", "cart", 6),
            *called(QUESTION, "cart", "stock", 1, reasons={"not_allowed": 6 * CALLS}),
        ),
    )
    assert [suspect.service for suspect in found.suspects[: found.blamed]] == ["stock"]
    (link,) = found.links
    assert link.errors is not None
    assert (link.source, link.errors.reason) == ("cart", "not_allowed")


def test_strangers_who_are_refused_are_no_incident() -> None:
    outside = Called(False, "", "front", "", "v1", "front-1", buckets(QUESTION, 30), reasons={"token_expired": 24})
    found = verdict(
        served(QUESTION, "front", 30, 5),
        served(QUESTION, "cart", 24, 4),
        served(QUESTION, "stock", 19, 19),
        calls=(outside, *called(QUESTION, "front", "cart", 25), *called(QUESTION, "cart", "stock", 20)),
    )
    assert found.suspects == ()


def test_an_open_breaker_is_the_doing_of_whoever_is_slow_behind_it() -> None:
    found = verdict(
        served(QUESTION, "front", 30, 5, failed=20),
        served(QUESTION, "cart", 924, 4),
        served(QUESTION, "stock", 919, 919),
        calls=(
            *called(QUESTION, "front", "cart", 25, failed=20, reasons={"breaker_open": 120}),
            *called(QUESTION, "cart", "stock", 920),
        ),
    )
    assert [suspect.service for suspect in found.suspects[: found.blamed]] == ["stock"]
    assert found.suspects[0].error_part > 0.4
