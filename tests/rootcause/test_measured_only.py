"""Incidents of which nobody recorded a call: metrics alone, logs alone, both."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from rootcause.load.window import Interval
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


def complaining(service: str, bodies: list[str]) -> list[dict[str, object]]:
    """Lines of a quiet time, and in the incident these complaints of a service every two seconds."""
    rows = log_rows(INCIDENT)
    lines = [row for row in log_rows(INCIDENT, service) if row["severity"] == "ERROR"]
    for many, row in enumerate(lines):
        rows.append(row | {"body": bodies[many % len(bodies)]})
    return rows


@pytest.mark.parametrize(
    "body",
    [
        "could not get the cart: http://cartservice:7070/cart refused",
        "rpc to hipstershop.CartService/GetCart failed: Unavailable",
        "lookup cartservice.shop.svc.cluster.local: no such host",
        "no answer from cart-service",
    ],
)
def test_a_complaint_that_names_another_service_is_about_that_one(tmp_path: Path, body: str) -> None:
    found = ranked(tmp_path, {"logs": log_rows(NORMAL)}, {"logs": complaining("frontend", [body])})
    assert found == ["cartservice", "frontend"]


def test_who_complains_of_several_is_what_these_have_in_common(tmp_path: Path) -> None:
    bodies = [f"timeout: no answer from http://{name}:80/" for name in ("cartservice", "adservice")]
    found = ranked(tmp_path, {"logs": log_rows(NORMAL)}, {"logs": complaining("frontend", bodies)})
    assert found == ["frontend"]


def test_a_plain_word_names_nobody(tmp_path: Path) -> None:
    rows = [row | {"service": str(row["service"]).removesuffix("service")} for row in log_rows(NORMAL)]
    since = complaining("frontend", ["could not show the cart to the user"])
    since = [row | {"service": str(row["service"]).removesuffix("service")} for row in since]
    assert ranked(tmp_path, {"logs": rows}, {"logs": since}) == ["frontend"]


def test_samples_of_every_second_are_looked_at_in_buckets(tmp_path: Path) -> None:
    """Errors of a few requests a minute: in most seconds there is none."""
    before, since = (_by_the_second(within) for within in (NORMAL, INCIDENT))
    assert ranked(tmp_path, {"metrics": before}, {"metrics": since})[:1] == ["adservice"]


def _by_the_second(within: Interval) -> list[dict[str, object]]:
    """One request in five seconds, and in the incident every other of `adservice` fails; columns of a wide table."""
    return [
        {"time": at, "service": service, "name": f"{service}_error", "value": float(wrong)}
        for at in range(int(within.start), int(within.end))
        for service in ("adservice", "cartservice", "frontend", "emailservice")
        for wrong in [at % 5 == 0 and (at % 200 == 0 or (service == "adservice" and within == INCIDENT and at % 2))]
    ]


def test_a_restart_is_told_by_one_sample(tmp_path: Path) -> None:
    before, since = Meters().rows(NORMAL), Meters().rows(INCIDENT)
    for rows in (before, since):
        for row in list(rows):
            if row["name"] == "container_sockets":
                again = rows is since and row["service"] == "emailservice" and _at(row) > INCIDENT.start + 60
                rows.append(row | {"name": "kube_pod_container_status_restarts_total", "value": 12.0 + again})
    assert ranked(tmp_path, {"metrics": before}, {"metrics": since}) == ["emailservice"]


def test_four_samples_of_normal_time_are_enough_where_others_tell_how_much_they_vary(tmp_path: Path) -> None:
    """Once a minute, in four minutes."""
    meters = Meters(wrong=Wrong("adservice", "mem", 4))
    before = [row for row in meters.rows(NORMAL) if _every_minute(row) and _at(row) < NORMAL.start + 240]
    since = [row for row in meters.rows(INCIDENT) if _every_minute(row)]
    assert ranked(tmp_path / "leak", {"metrics": before}, {"metrics": since})[:1] == ["adservice"]
    quiet = [row for row in Meters(2).rows(INCIDENT) if _every_minute(row)]
    assert ranked(tmp_path / "quiet", {"metrics": before}, {"metrics": quiet}) == []


def _at(row: dict[str, object]) -> float:
    at = row["time"]
    assert isinstance(at, datetime)
    return at.timestamp()


def _every_minute(row: dict[str, object]) -> bool:
    return (_at(row) - NORMAL.start) % 60 == 45
