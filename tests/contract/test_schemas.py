"""The published schemas of findings, messages, answers and requests are those that they have."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from rootcause.alerts.formats import body
from rootcause.alerts.notice import Event, Notice, of_alarm, of_finding
from rootcause.alerts.trial import trial
from rootcause.explain.finding import Finding
from rootcause.explain.proof import explain
from rootcause.explain.queries import RollupQueries
from rootcause.judge.diagnose import diagnose
from rootcause.promises.alarms import Alarm
from rootcause.schemas import SHAPES, schema
from tests.rootcause.windows import FAULT_AT, QUESTION, windows
from tests.world.mesh_sim import Fault

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALARM = Alarm(
    id="a1",
    kind="rule",
    rule="disk",
    service="",
    severity="warning",
    opened_at=NOW,
    updated_at=NOW,
    title="disk",
    why="value 0.95",
    value=0.95,
    limit=0.0,
    sql="SELECT 1",
)


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((PUBLISHED / f"{name}.json").read_text()))


@pytest.fixture(scope="module")
def finding() -> Finding:
    normal, question = windows(11, Fault("errors", "payments", 0.3, FAULT_AT))
    queries = RollupQueries(normal, question)
    return explain(diagnose(normal, question), normal, question, queries, incident="i1", now=QUESTION.end)


def test_the_published_schemas_are_up_to_date() -> None:
    assert {path.stem for path in PUBLISHED.glob("*.json")} == set(SHAPES)
    for name in SHAPES:
        assert (PUBLISHED / f"{name}.json").read_text() == schema(name), "run python -m rootcause.schemas docs/schemas"


def test_a_finding_is_valid_and_one_with_a_figure_for_a_name_is_not(finding: Finding) -> None:
    told = json.loads(finding.model_dump_json())
    assert list(validator("finding").iter_errors(told)) == []
    told["culprit"]["service"] = 7
    assert [list(error.path) for error in validator("finding").iter_errors(told)] == [["culprit", "service"]]


def test_every_message_in_plain_json_is_valid() -> None:
    opened, resolved = trial(NOW)
    told: list[tuple[Event, Notice]] = [("opened", of_finding(opened)), ("resolved", of_finding(resolved))]
    told += [("acknowledged", of_finding(opened)), ("opened", of_alarm(ALARM)), ("resolved", of_alarm(ALARM))]
    for event, notice in told:
        assert list(validator("message").iter_errors(body("json", event, notice, NOW))) == []
    assert list(validator("message").iter_errors({"event": "opened", "sent_at": NOW.isoformat()})) != []
