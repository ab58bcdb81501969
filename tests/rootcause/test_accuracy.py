"""The table of accuracy: places, intervals, quiet cases, and the engine blind to the answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from rootcause.accuracy import Answer, command, score, wilson
from tests.rootcause.cases import write_suite
from tests.rootcause.recordings import INCIDENT, NORMAL, Meters, Wrong
from tests.rootcause.recordings import suite as recorded
from tests.world.mesh_sim import Fault

ANSWERS = """case_id,service,kind,detail,aliases,source
c1,payments,latency,,Payments|pay,
c2,cart,errors,,,
c3,,none,,,
c4,,none,,,
"""


def test_a_suite_is_scored(tmp_path: Path) -> None:
    slow, lossy = Fault("latency", "payments", 300, 0.0), Fault("errors", "catalog", 0.3, 0.0)
    suite = write_suite(tmp_path / "shop", {"c1": (slow,), "c2": (lossy,), "c3": ()})
    (suite / "answers.csv").write_text(ANSWERS)
    out = tmp_path / "accuracy.md"
    ran = CliRunner().invoke(command, [str(suite), "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    text = out.read_text()
    # c2 blames another service than the answer says, c4 has no ranking.
    assert "| shop | spans | 2 | 0.500 [0.09, 0.91] | 0.500 [0.09, 0.91] | 1 of 2 |" in text
    assert "| shop | errors | 1 | 0.000 [0.00, 0.79] |" in text
    assert "| shop | latency | 1 | 1.000 [0.21, 1.00] |" in text


def test_a_suite_of_metrics_alone_is_scored(tmp_path: Path) -> None:
    meters = Meters(wrong=Wrong("adservice", "cpu", 12))
    folder = recorded(tmp_path / "bare", {"metrics": meters.rows(NORMAL)}, {"metrics": meters.rows(INCIDENT)})
    (folder / "answers.csv").write_text("case_id,service,kind,detail,aliases,source\nc1,adservice,cpu,,,\n")
    ran = CliRunner().invoke(command, [str(folder)])
    assert "| bare | metrics | 1 | 1.000 [0.21, 1.00] |" in ran.output


def test_a_suite_without_answers_is_refused(tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "shop", {"c1": ()})
    ran = CliRunner().invoke(command, [str(suite)])
    assert ran.exit_code == 2
    assert "answers.csv" in ran.output


def test_a_missing_ranking_counts_against_the_engine() -> None:
    answers = {"fault": Answer({"a"}, "latency"), "quiet": Answer(set(), "none")}
    found = score(answers, {})
    assert (list(found.places), found.quiet, found.blamed) == ([None], 1, 1)
    assert score(answers, {"fault": ["a"], "quiet": []}).blamed == 0


@pytest.mark.parametrize(
    ("hits", "cases", "low", "high"), [(0, 10, 0.0, 0.278), (38, 45, 0.712, 0.923), (5, 5, 0.566, 1)]
)
def test_intervals_are_wilson_s(hits: int, cases: int, low: float, high: float) -> None:
    assert wilson(hits, cases) == pytest.approx((low, high), abs=0.001)
