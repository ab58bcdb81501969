"""`whymesh replay` end to end: a recorded incident through a real collector's OTLP port, its store and the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from collector.store.client import Reader
from deploy.replay import command
from rootcause.evaluate import rank_suite
from rootcause.load.spans import Span
from tests.rootcause.cases import START, add_lines, write_suite
from tests.rootcause.stored import runs, store_url
from tests.world.collectors import collector
from tests.world.mesh_sim import Fault

BEGAN_AT = START + 3 * 3600 + 15
"""In the third case, fifteen seconds after its recording begins."""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fault = Fault("link", "inventory", 200, 0.0, source="cart")
    late = Fault("latency", "payments", 300, BEGAN_AT)
    cases = {"c1": (fault,), "c2": (), "c3": (late,), "c4": ()}
    suite = write_suite(tmp_path_factory.mktemp("suites") / "shop", cases)
    add_lines(suite, "c4", what_cart_says)
    return suite


def what_cart_says(span: Span, normally: bool) -> Iterator[tuple[str, str]]:
    """In the incident it swallows an exception."""
    if span.service == "cart":
        yield "INFO", f"cart {span.id} opened"
        if not normally:
            yield "ERROR", "prices not read, showing none: TimeoutError"


def test_with_a_collector_of_its_own(suite: Path) -> None:
    result = CliRunner().invoke(command, [str(suite / "c1"), "--json"])
    assert result.exit_code == 0, result.output
    outcome = json.loads(result.stdout)
    assert outcome["ranking"] == rank_suite(suite)["c1"]
    assert outcome["finding"]["culprit"]["link"] == "cart -> inventory"
    assert outcome["spans"]["sent"] > 1000
    assert outcome["spans"]["stored_before"] == 0


def test_into_a_running_collector_twice(suite: Path, tmp_path: Path) -> None:
    with collector(tmp_path) as running:
        where = ["--otlp", running.url("http"), "--store", store_url(running)]
        first = CliRunner().invoke(command, [str(suite / "c1"), "--json", *where])
        again = CliRunner().invoke(command, [str(suite / "c1"), "--json", *where])
        late = CliRunner().invoke(command, [str(suite / "c3"), "--json", *where])
        swallowing = [CliRunner().invoke(command, [str(suite / "c4"), "--json", *where]) for _ in range(2)]
        quiet = CliRunner().invoke(command, [str(suite / "c2"), *where])
        sent = json.loads(first.stdout)["spans"]["sent"]
        assert json.loads(again.stdout)["spans"] == {"sent": 0, "stored_before": sent}
        finding = json.loads(again.stdout)["finding"]
        assert finding["ranking"] == json.loads(first.stdout)["finding"]["ranking"]
        with Reader(store_url(running)) as reader:
            assert all(runs(reader, [evidence["sql"] for evidence in finding["evidence"]]))
        onset = json.loads(late.stdout)["finding"]["onset"]
        assert 0 <= datetime.fromisoformat(onset["at"]).timestamp() - BEGAN_AT <= onset["within_s"] <= 10
        path = json.loads(late.stdout)["finding"]["path"]
        assert path[0]["where"] == "payments"
        assert path[0]["added_ms"] > 100, "of 300 ms, in more than half of the time"
        for one in (json.loads(result.stdout) for result in swallowing):
            assert one["ranking"] == rank_suite(suite)["c4"] == ["cart"]
            (told,) = [part for part in one["finding"]["evidence"] if "prices" in part["statement"]]
            with Reader(store_url(running)) as reader:
                (row,) = reader.rows(told["sql"])
            served = running.query("SELECT uniq(SpanId) FROM otel.otel_logs WHERE Body LIKE 'prices not read%'")
            assert [(row["Lines"],)] == served, "once each, however often they were replayed"
        assert quiet.exit_code == 0, quiet.output
        assert "nothing_wrong" in quiet.stdout


def test_a_folder_that_is_no_case(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert result.exit_code == 2
    assert "a case is a folder with a case.json" in result.stderr


def test_a_collector_that_is_not_there(suite: Path) -> None:
    where = ["--otlp", "http://127.0.0.1:1", "--store", "clickhouse://127.0.0.1:1/otel"]
    result = CliRunner().invoke(command, [str(suite / "c1"), *where])
    assert result.exit_code == 2
    assert "does not answer" in result.stderr


def test_one_address_alone_is_a_mistake(suite: Path) -> None:
    result = CliRunner().invoke(command, [str(suite / "c1"), "--otlp", "http://127.0.0.1:1"])
    assert result.exit_code == 2
    assert "belong together" in result.stderr
