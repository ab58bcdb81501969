"""What the page reads is what the engine writes."""

from datetime import UTC, datetime

import pytest

from dashboards import finding_sheet
from dashboards.finding_sheet import OnPath, Suspect
from tests.world import telemetry

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_finding_of_the_engine_is_read_whole() -> None:
    sheet = finding_sheet.read(telemetry.finding([], NOW).model_dump_json())
    assert (sheet.id, sheet.title) == (telemetry.INCIDENT, telemetry.TITLE)
    assert sheet.culprit_name == "payments v1 on payments-1"
    assert sheet.culprit["zone"] == "b"
    assert sheet.ranking[0] == Suspect(
        "payments", 0.94, (21.0, 261.0), (0.0, 0.081), (None, None), "own time grew 240 ms when the symptom began"
    )
    assert sheet.ruled_out[0][0] == "inventory"
    assert sheet.path[0] == OnPath("payments", (21.0, 247.0), 226.0, 0.0)
    assert sheet.gaps == ("only 60 % of what the proxies of shipping counted has spans",)
    assert sheet.incident == (NOW - telemetry.FAULT, NOW)
    assert sheet.opened_at is not None
    assert sheet.resolved_at is None
    assert sheet.evidence[0].sql.startswith("SELECT")
    assert sheet.change is not None


def test_what_is_absent_is_empty() -> None:
    sheet = finding_sheet.read("{}")
    assert sheet.title == "Incident"
    assert sheet.culprit_name == "unknown"
    assert (sheet.ranking, sheet.evidence, sheet.path, sheet.gaps) == ((), (), (), ())
    assert (sheet.change, sheet.baseline) == (None, None)


@pytest.mark.parametrize("text", ["", "[]", "not json"])
def test_what_is_not_a_finding_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        finding_sheet.read(text)


@pytest.mark.parametrize(
    "value", ["2026-11-20T12:00:00Z", "2026-11-20T13:00:00+01:00", "2026-11-20T12:00:00", 1795176000]
)
def test_a_moment_is_utc_however_it_was_written(value: object) -> None:
    assert finding_sheet.moment(value) == NOW
