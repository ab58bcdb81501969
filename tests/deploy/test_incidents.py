"""What `whymesh incidents` prints: a line for each, however narrow the terminal and long the title."""

from __future__ import annotations

from typing import Any

from click.testing import CliRunner

from deploy.incidents import incidents, silence
from tests.deploy.test_why import DEGRADED, engine


def test_each_incident_is_a_line_with_all_of_its_title() -> None:
    finding: dict[str, Any] = DEGRADED["finding"]
    over = {**finding, "id": "4f1c09a2b3de", "state": "resolved", "title": "cart is slow " + "x" * 200}
    over["acknowledged"] = {"time": "2026-05-04T12:00:09Z", "by": "ann", "text": ""}
    with engine({"incidents": [finding, over]}, "/v1/incidents") as url:
        ran = CliRunner().invoke(incidents, ["--url", url])
    assert ran.exit_code == 0, ran.output
    _, first, second = ran.output.splitlines()
    assert first.split() == ["a1", "open", "2026-05-04", "12:00:00", "-", *finding["title"].split()]
    assert second.startswith("4f1c09a2b3de  resolved  2026-05-04 12:00:00  ann ")
    assert second.endswith(over["title"])


def test_none_is_said() -> None:
    with engine({"incidents": []}, "/v1/incidents?service=cart") as url:
        assert CliRunner().invoke(incidents, ["--url", url, "--service", "cart"]).output == "no incidents\n"


def test_a_silence_is_told_to_the_second() -> None:
    held = {"service": "cart", "until": "2026-05-04T12:00:09.123Z", "by": "ann", "because": "a drill"}
    with engine({"silences": [held]}, "/v1/silences") as url:
        ran = CliRunner().invoke(silence, ["--url", url])
    assert ran.output == "cart until 2026-05-04 12:00:09 UTC, by ann: a drill\n"


def test_a_silence_of_nobody_in_particular_is_refused() -> None:
    ran = CliRunner().invoke(silence, ["--end", "--url", "http://127.0.0.1:1"])
    assert ran.exit_code == 2
    assert "say whose" in ran.output
