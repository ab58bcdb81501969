"""The published schema of a finding is the one that findings have."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from rootcause.explain.proof import explain
from rootcause.explain.queries import RollupQueries
from rootcause.explain.schema import finding_schema
from rootcause.judge.diagnose import diagnose
from tests.rootcause.windows import FAULT_AT, QUESTION, windows
from tests.world.mesh_sim import Fault

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas" / "finding.json"


def test_the_published_schema_is_up_to_date() -> None:
    assert PUBLISHED.read_text() == finding_schema(), "run python -m rootcause.explain.schema"


def test_a_finding_is_valid_and_one_with_a_figure_for_a_name_is_not() -> None:
    normal, question = windows(11, Fault("errors", "payments", 0.3, FAULT_AT))
    queries = RollupQueries(normal, question)
    finding = explain(diagnose(normal, question), normal, question, queries, incident="i1", now=QUESTION.end)
    told = json.loads(finding.model_dump_json())
    validator = Draft202012Validator(json.loads(PUBLISHED.read_text()))
    assert list(validator.iter_errors(told)) == []
    told["culprit"]["service"] = 7
    assert [list(error.path) for error in validator.iter_errors(told)] == [["culprit", "service"]]
