"""What the load generator counts."""

from __future__ import annotations

from deploy.demo.tally import WINDOW_S, Tally


def test_every_request_is_counted_once() -> None:
    tally = Tally(started=5, not_sent=2)
    for seconds, failure in ((0.1, ""), (0.2, "503"), (0.3, "")):
        tally.end(1.0, seconds, failure)
    report = tally.report(1.0)
    assert (report["answered"], report["errors"], report["in_flight"], report["not_sent"]) == (3, 1, 2, 2)
    assert (report["error_share"], report["failures"]) == (1 / 3, {"503": 1})


def test_rates_and_latencies_are_of_the_last_seconds_and_totals_are_not() -> None:
    tally = Tally()
    for moment in range(100):
        tally.started += 1
        tally.end(float(moment), moment / 1000)
    report = tally.report(99.0)
    assert report["answered"] == 100
    assert report["rate"] == (WINDOW_S + 1) / WINDOW_S
    assert 89 <= report["p50_ms"] <= 99
    assert tally.report(99.0 + 2 * WINDOW_S)["rate"] == 0.0
