"""Recorded incidents that are badly described, or whose files are missing: what is wrong is said, nobody is blamed at
random, and the others are judged as ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import rootcause.evaluate
from rootcause.evaluate import command
from rootcause.judge.diagnose import Verdict
from tests.rootcause.recordings import INCIDENT, NORMAL, Meters, Wrong, log_rows, suite

Case = dict[str, Any]
METERS = Meters(wrong=Wrong("adservice", "cpu", 12))


def evaluated(folder: Path, change: Callable[[Case], object]) -> tuple[list[str], str]:
    """What is said of a case with a changed description beside a good one: its ranking, and what stands beside."""
    files = {"metrics": METERS.rows(NORMAL)}, {"metrics": METERS.rows(INCIDENT)}
    file = suite(folder, *files) / "c1" / "case.json"
    good, bad = json.loads(file.read_text()), json.loads(file.read_text())
    (folder / "bad").mkdir()
    (folder / "bad" / "metrics.parquet").write_bytes((folder / "c1" / "metrics.parquet").read_bytes())
    bad["id"] = "bad"
    change(bad)
    (folder / "bad" / "case.json").write_text(json.dumps(bad))
    result = CliRunner().invoke(command, [str(folder)])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found.pop(good["id"])[:1] == ["adservice"]
    assert found.keys() == {"bad"}
    return found["bad"], result.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda case: case.pop("fault_start"), "fault_start: Field required"),
        (lambda case: case.update(fault_end=case["fault_start"]), "is to be after fault_start"),
        (lambda case: case.update(baseline_files="all"), "baseline_files: Input should be a valid"),
        (lambda case: case.update(baseline_files=None), "nothing that metrics.parquet could be compared with"),
        (lambda case: case.update(baseline_files=["baseline/w9.metrics.parquet"]), "w9.metrics.parquet, which is not"),
        (
            lambda case: case.update(fault_start="2020-01-01T00:00:00Z", fault_end="2020-01-01T00:03:00Z"),
            "0 requests in the last 180 s",
        ),
    ],
)
def test_what_cannot_be_judged_has_an_empty_ranking(
    tmp_path: Path, change: Callable[[Case], object], said: str
) -> None:
    ranking, told = evaluated(tmp_path, change)
    assert ranking == []
    assert said in told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda case: case.update(inputs=["metrics", "logs"]), "bad: inputs names logs, but there is no logs.parquet"),
        (lambda case: case.update(alert_time="1999-01-01T00:00:00Z"), "is not within fault_start to fault_end"),
        (lambda case: case.update(alert_time="soon"), "alert_time soon is not within"),
        (lambda case: case.update(coverage=[case["baseline"][0]]), "coverage lies outside"),
        (lambda case: case.update(baseline=[[case["fault_start"], case["fault_end"]]]), "no time outside"),
        (lambda case: case.update(target="frontend", suite=7), ""),
        (lambda case: case.update(fault_start=INCIDENT.start, fault_end=INCIDENT.end), ""),
        (lambda case: case.pop("suite"), ""),
    ],
)
def test_what_does_not_fit_together_is_told_and_done_without(
    tmp_path: Path, change: Callable[[Case], object], said: str
) -> None:
    ranking, told = evaluated(tmp_path, change)
    assert ranking[:1] == ["adservice"]
    assert said in told


@pytest.mark.parametrize("text", [b"{nope", b"\xff\xfe", b""])
def test_a_description_that_is_no_json_leaves_the_others(tmp_path: Path, text: bytes) -> None:
    files = {"metrics": METERS.rows(NORMAL)}, {"metrics": METERS.rows(INCIDENT)}
    suite(tmp_path, *files)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "case.json").write_bytes(text)
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert json.loads(result.stdout)["odd"] == []
    assert json.loads(result.stdout)["c1"][:1] == ["adservice"]
    assert "odd: " in result.stderr
    assert "case.json: Invalid JSON" in result.stderr


def test_two_cases_of_one_name_are_both_judged(tmp_path: Path) -> None:
    ranking, told = evaluated(tmp_path, lambda case: case.update(id="c1"))
    assert ranking[:1] == ["adservice"]
    assert "another case is called c1, too; it goes by its folder" in told


def test_where_no_line_is_heard_any_more_nothing_is_said_of_complaints(tmp_path: Path) -> None:
    """A window of another day is none in which nobody complains."""
    suite(tmp_path, {"logs": log_rows(NORMAL)}, {"logs": log_rows(NORMAL)})
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert json.loads(result.stdout) == {"c1": []}
    assert "c1: 0 requests in the last 180 s" in result.stderr


def test_an_engine_that_fails_costs_one_case_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = rootcause.evaluate.verdict_of

    def failing(case: Any, *rest: Any, **more: Any) -> Verdict:
        if case.file.id == "bad":
            raise ZeroDivisionError("of nothing")
        return judge(case, *rest, **more)

    monkeypatch.setattr(rootcause.evaluate, "verdict_of", failing)
    ranking, told = evaluated(tmp_path, lambda _: None)
    assert ranking == []
    assert "bad: the engine failed: ZeroDivisionError: of nothing" in told
