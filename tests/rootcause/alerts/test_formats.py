"""Each listener gets an incident in its own words; what their documentation requires is there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from rootcause.alerts.formats import FORMATS, Format, body
from rootcause.alerts.notice import Event, of_alarm, of_finding
from rootcause.alerts.signing import SecretRefused, headers, read_secret
from rootcause.explain.finding import Finding, Note
from rootcause.explain.proof import explain
from rootcause.explain.queries import RollupQueries
from rootcause.judge.diagnose import diagnose
from rootcause.promises.alarms import Alarm
from tests.rootcause.windows import FAULT_AT, QUESTION, windows
from tests.world.mesh_sim import Fault

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def finding() -> Finding:
    normal, question = windows(1, Fault("errors", "payments", 0.5, FAULT_AT))
    made = explain(
        diagnose(normal, question),
        normal,
        question,
        RollupQueries(normal, question),
        incident="abc",
        now=QUESTION.end,
    )
    return made.model_copy(update={"title": "payments <v2> fails & falls"})


def said(kind: Format, finding: Finding, event: Event = "opened") -> Any:
    return body(kind, event, of_finding(finding), NOW, key="K")


def test_json_is_the_whole_finding(finding: Finding) -> None:
    told = said("json", finding)
    assert (told["event"], told["sent_at"]) == ("opened", "2026-01-02T03:04:05+00:00")
    assert Finding.model_validate(told["finding"]) == finding


def test_alertmanager_gets_labels_that_stay_the_same(finding: Finding) -> None:
    (firing,) = said("alertmanager", finding)
    (resolved,) = said("alertmanager", finding, "resolved")
    assert firing["labels"] == resolved["labels"]
    assert firing["labels"]["service"] == "payments"
    assert firing["labels"]["alertname"] == "WhymeshIncident"
    assert all(isinstance(value, str) and value for value in firing["labels"].values())
    assert "endsAt" not in firing
    assert datetime.fromisoformat(resolved["endsAt"]).tzinfo is not None
    assert firing["annotations"]["summary"] == finding.title


def test_slack_gets_text_and_no_markup_from_us(finding: Finding) -> None:
    told = said("slack", finding)
    assert told["text"] == "Incident (critical): payments &lt;v2&gt; fails &amp; falls"
    kinds = [block["type"] for block in told["blocks"]]
    assert kinds == ["header", "section", "section", "context"]
    assert len(told["blocks"][0]["text"]["text"]) <= 150
    assert len(told["blocks"][2]["fields"]) <= 10


def test_pagerduty_triggers_and_resolves_one_incident(finding: Finding) -> None:
    trigger, resolve = said("pagerduty", finding), said("pagerduty", finding, "resolved")
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"] == "abc"
    assert trigger["routing_key"] == resolve["routing_key"] == "K"
    payload = trigger["payload"]
    assert payload["severity"] == "critical"
    assert {"summary", "source", "severity", "timestamp"} <= payload.keys()
    assert "payload" not in resolve


def test_teams_gets_a_card(finding: Finding) -> None:
    (attachment,) = said("teams", finding, "resolved")["attachments"]
    card = attachment["content"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert card["body"][0]["text"].startswith("Resolved: payments")
    assert {fact["title"] for fact in card["body"][2]["facts"]} >= {"Culprit", "Since"}


def test_who_looks_after_an_incident_is_told(finding: Finding) -> None:
    taken = finding.model_copy(update={"acknowledged": Note(time=NOW, by="ann", text="on it")})
    pagerduty = said("pagerduty", taken, "acknowledged")
    assert (pagerduty["event_action"], pagerduty["dedup_key"]) == ("acknowledge", "abc")
    assert "payload" not in pagerduty
    assert said("slack", taken, "acknowledged")["text"].startswith("Acknowledged by ann: payments")
    (alert,) = said("alertmanager", taken, "acknowledged")
    assert alert["annotations"]["acknowledged_by"] == "ann"
    assert "endsAt" not in alert
    assert said("json", taken, "acknowledged")["finding"]["acknowledged"]["text"] == "on it"


ALARM = Alarm(
    id="a1",
    kind="objective",
    rule="front availability 99.9%",
    service="front",
    severity="critical",
    opened_at=NOW,
    updated_at=NOW,
    title="front breaks its objective",
    why="2 % failed",
    value=20.0,
    limit=14.4,
    sql="SELECT 1",
    acknowledged=Note(time=NOW, by="ann", text="on it"),
)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("event", get_args(Event))
def test_an_alarm_is_told_in_every_format(kind: Format, event: Event) -> None:
    told = body(kind, event, of_alarm(ALARM), NOW, key="K")
    if kind == "json":
        assert told["alarm"]["rule"] == "front availability 99.9%"
    elif kind == "alertmanager":
        assert told[0]["labels"]["alertname"] == "WhymeshObjective"
        assert told[0]["annotations"]["acknowledged_by"] == "ann"
        assert ("endsAt" in told[0]) is (event == "resolved")
    elif kind == "pagerduty":
        assert told["dedup_key"] == "a1"
    else:
        assert "front breaks its objective" in str(told)
        assert ("Acknowledged by ann" in str(told)) is (event == "acknowledged")


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "json"])
def test_what_turned_graver_is_told_so(kind: Format) -> None:
    graver = of_alarm(ALARM).model_copy(update={"was": "warning"})
    told = body(kind, "worsened", graver, NOW, key="K")
    if kind == "alertmanager":
        milder, now = told
        assert (milder["labels"]["severity"], "endsAt" in milder) == ("warning", True)
        assert (now["labels"]["severity"], "endsAt" in now) == ("critical", False)
        assert milder["labels"] | {"severity": "critical"} == now["labels"]
    elif kind == "pagerduty":
        assert (told["event_action"], told["dedup_key"]) == ("trigger", "a1")
        assert told["payload"]["severity"] == "critical"
    else:
        assert "Alarm, now critical: front breaks its objective" in str(told)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_finding_without_details_can_be_told(kind: Format, finding: Finding) -> None:
    bare = finding.model_copy(update={"ranking": (), "exemplars": (), "change": None})
    assert body(kind, "opened", of_finding(bare), NOW)


def test_a_secret_is_as_standard_webhooks_writes_it() -> None:
    key = read_secret("whsec_MDEyMzQ1Njc4OWFiY2RlZg==\n")
    assert key == b"0123456789abcdef"
    for text in ("", "MDEyMzQ1Njc4OWFiY2RlZg==", "whsec_short", "whsec_MDEy", "whsec_%%%"):
        with pytest.raises(SecretRefused, match="whsec_"):
            read_secret(text)


def test_a_message_is_signed_with_its_id_and_time() -> None:
    """The example of the specification's reference implementation."""
    key = read_secret("whsec_plJ3nmyCDGBKInavdOK15jsl")
    made = headers("msg_loFOjxBNrRLzqYUf", 1731705121, b'{"event_type":"ping","data":{"success":true}}', key)
    assert made["webhook-signature"] == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="
    assert headers("a", 1, b"", None) == {"webhook-id": "a", "webhook-timestamp": "1"}
