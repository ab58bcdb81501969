"""Incidents of which nobody recorded a call: metrics alone, logs alone, both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rootcause.recordings import INCIDENT, NORMAL, Meters, Wrong, log_rows, ranked


def by_metrics(folder: Path, meters: Meters, *, graph: bool = False) -> list[str]:
    return ranked(folder, {"metrics": meters.rows(NORMAL)}, {"metrics": meters.rows(INCIDENT)}, graph=graph)


@pytest.mark.parametrize("bare", [True, False], ids=["gauges", "counters"])
@pytest.mark.parametrize(
    "wrong",
    [
        Wrong("adservice", "cpu", 12),
        Wrong("cartservice", "mem", 4),
        Wrong("emailservice", "diskio", 50),
        Wrong("paymentservice", "socket", 10),
        Wrong("checkoutservice", "error", 0.2),
        Wrong("productcatalogservice", slow_ms=200),
        Wrong("currencyservice", slow_ms=80),
    ],
    ids=lambda wrong: f"{wrong.service} {wrong.metric or 'latency'}",
)
def test_whoever_strays_most_is_first(tmp_path: Path, wrong: Wrong, bare: bool) -> None:
    assert by_metrics(tmp_path, Meters(bare=bare, wrong=wrong))[:1] == [wrong.service]


@pytest.mark.parametrize("bare", [True, False], ids=["gauges", "counters"])
def test_nobody_is_blamed_in_quiet_times(tmp_path: Path, bare: bool) -> None:
    blamed = [by_metrics(tmp_path / str(seed), Meters(seed, bare)) for seed in range(10)]
    assert sum(map(bool, blamed)) <= 1


def test_three_times_the_users_are_nobodys_fault(tmp_path: Path) -> None:
    assert by_metrics(tmp_path, Meters(asked=3.0)) == []


def test_whoever_is_not_measured_any_more_is_gone(tmp_path: Path) -> None:
    rows = Meters().rows(INCIDENT)
    left = [row for row in rows if row["service"] != "emailservice"]
    assert ranked(tmp_path / "gone", {"metrics": Meters().rows(NORMAL)}, {"metrics": left}) == ["emailservice"]
    few = [row for row in rows if row["service"] in ("frontend", "adservice")]
    assert ranked(tmp_path / "deaf", {"metrics": Meters().rows(NORMAL)}, {"metrics": few}) == []


def test_a_call_graph_tells_who_passes_it_on(tmp_path: Path) -> None:
    wrong = Wrong("productcatalogservice", slow_ms=20)
    assert by_metrics(tmp_path, Meters(wrong=wrong), graph=True)[0] == "productcatalogservice"


@pytest.mark.parametrize("severity", ["ERROR", "warn", "Err", "17", "E", "CRITICAL"])
def test_new_complaints_are_told_of_in_any_spelling(tmp_path: Path, severity: str) -> None:
    lines = {"logs": log_rows(NORMAL)}, {"logs": log_rows(INCIDENT, "cartservice", severity=severity)}
    assert ranked(tmp_path, *lines) == ["cartservice"]


def test_lines_that_name_spans_are_counted_by_them(tmp_path: Path) -> None:
    before, since = log_rows(NORMAL), log_rows(INCIDENT, "cartservice", severity="INFO")
    for many, row in enumerate([*before, *since]):
        row["span_id"] = f"{many + 1:016x}"
    assert ranked(tmp_path, {"logs": before}, {"logs": since}) == ["cartservice"]


def test_lines_of_a_quiet_time_say_nothing(tmp_path: Path) -> None:
    assert ranked(tmp_path, {"logs": log_rows(NORMAL)}, {"logs": log_rows(INCIDENT)}) == []


def test_metrics_and_complaints_support_one_another(tmp_path: Path) -> None:
    meters = Meters(wrong=Wrong("adservice", "cpu", 3))
    found = ranked(
        tmp_path,
        {"metrics": meters.rows(NORMAL), "logs": log_rows(NORMAL)},
        {"metrics": meters.rows(INCIDENT), "logs": log_rows(INCIDENT, "adservice")},
    )
    assert found == ["adservice"]
