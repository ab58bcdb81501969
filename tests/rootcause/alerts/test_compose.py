"""What goes out in one post: each notice once, whatever the format can say at once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import jsonschema
import pytest
from yarl import URL

from rootcause.alerts.compose import MOST, compose, together
from rootcause.alerts.digest import LINES
from rootcause.alerts.formats import Format, Told
from rootcause.alerts.notice import of_finding
from rootcause.alerts.targets import Target
from rootcause.alerts.trial import trial
from tests.rootcause.alerts.schemas import SCHEMAS

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def told(count: int) -> list[Told]:
    """Incidents that open one after the other; every second one is resolved at once."""
    made: list[Told] = []
    for number in range(count):
        opened, resolved = trial(NOW)
        title = {"title": f"incident <{number}>"}
        made.append(("opened", of_finding(opened.model_copy(update=title))))
        if number % 2:
            made.append(("resolved", of_finding(resolved.model_copy(update=title))))
    return made


def target(kind: Format) -> Target:
    return Target(URL("https://example.com/"), kind, key="K")


@pytest.mark.parametrize(("kind", "most"), [("json", 1), ("pagerduty", 1), ("slack", MOST), ("teams", MOST)])
def test_one_message_alone_is_what_the_format_has(kind: Format, most: int) -> None:
    assert together(target(kind)) == most
    assert b"incident <0>" in compose(target(kind), told(1), NOW).replace(b"&lt;", b"<").replace(b"&gt;", b">")


@pytest.mark.parametrize("kind", SCHEMAS)
def test_who_is_told_gets_to_the_page_of_it(kind: Format) -> None:
    (event, notice), *_ = told(1)
    page = f"https://mesh.example/ui/incidents?id={notice.id}"
    body = compose(replace(target(kind), ui="https://mesh.example/ui/"), [(event, notice)], NOW)
    assert page.encode() in body
    jsonschema.validate(json.loads(body), SCHEMAS[kind])
    assert b"incidents?id=" not in compose(target(kind), [(event, notice)], NOW)


def test_alertmanager_takes_as_many_alerts_as_there_are() -> None:
    alerts = json.loads(compose(target("alertmanager"), told(4), NOW))
    assert [alert["annotations"]["summary"] for alert in alerts] == [notice.title for _, notice in told(4)]
    assert ["endsAt" in alert for alert in alerts] == [event == "resolved" for event, _ in told(4)]


def test_people_get_a_line_for_each_and_a_count_of_the_rest() -> None:
    said = json.loads(compose(target("slack"), told(4), NOW))
    assert said["text"] == "6 messages: 4 opened, 2 resolved"
    lines = [block["text"]["text"] for block in said["blocks"][1:]]
    assert lines[1].startswith("• Incident (error): incident &lt;1&gt; `whymesh why test-")
    assert lines[2].startswith("• Resolved: incident &lt;1&gt;")
    many = json.loads(compose(target("slack"), told(LINES), NOW))
    assert many["blocks"][-1]["text"]["text"] == f"and {LINES // 2} more"
    assert len(many["blocks"]) <= 50, "Slack takes no more"
    card = json.loads(compose(target("teams"), told(LINES), NOW))["attachments"][0]["content"]
    assert len(card["body"][1]["facts"]) == LINES
    assert card["body"][-1]["text"] == f"and {LINES // 2} more"


@pytest.mark.parametrize("kind", SCHEMAS)
@pytest.mark.parametrize("count", [1, 2, LINES, 66])
def test_what_goes_out_is_what_the_listener_takes(kind: Format, count: int) -> None:
    notices = told(count)
    most = together(target(kind))
    for first in range(0, len(notices), most):
        said = json.loads(compose(target(kind), notices[first : first + most], NOW))
        jsonschema.validate(said, SCHEMAS[kind])


@pytest.mark.parametrize("kind", SCHEMAS)
def test_words_however_long_fit(kind: Format) -> None:
    opened, _ = trial(NOW)
    long = opened.model_copy(
        update={"title": "&" * 5_000, "ranking": (opened.ranking[0].model_copy(update={"why": "<" * 9_000}),)}
    )
    for count in (1, 2):
        notices: list[Told] = [("opened", of_finding(long))] * min(count, together(target(kind)))
        jsonschema.validate(json.loads(compose(target(kind), notices, NOW)), SCHEMAS[kind])
