"""A template of the user's own: tried when it is read, boxed in, and JSON or nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rootcause.alerts.notice import of_finding
from rootcause.alerts.template import Template, TemplateRefused
from rootcause.alerts.trial import trial

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def template(folder: Path, text: str) -> Template:
    path = folder / "own.json.j2"
    path.write_text(text)
    return Template(path)


def test_it_says_the_notice_in_its_own_words(tmp_path: Path) -> None:
    made = template(
        tmp_path,
        '{"text": {{ (event ~ ": " ~ notice.title) | tojson }}, "at": "{{ sent_at }}",'
        ' "who": {{ notice.detail.culprit.service | tojson }},'
        ' "facts": [{% for name, value in notice.facts %}{{ name | tojson }}{{ "," if not loop.last }}{% endfor %}]}',
    )
    opened, _ = trial(NOW)
    opened = opened.model_copy(update={"title": 'a "quoted" title\nof two lines'})
    told = json.loads(made.render("opened", of_finding(opened), NOW))
    assert told["text"] == 'opened: a "quoted" title\nof two lines'
    assert (told["at"], told["who"]) == (NOW.isoformat(), "whymesh-test")
    assert "Culprit" in told["facts"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{% for x in %}", r"own\.json\.j2:1: "),
        ('{"text": {{ notice.titel | tojson }}}', "titel"),
        ('{"text": {{ notice.title }}}', "tojson"),
        ('{"text": {{ notice.__class__.__mro__ | string | tojson }}}', "unsafe|undefined|no attribute"),
        ('{"text": {{ 1 / 0 }}}', "division"),
        ("", "tojson"),
    ],
)
def test_what_cannot_be_said_is_refused_at_once(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(TemplateRefused, match=complaint):
        template(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateRefused, match=r"missing\.j2"):
        Template(tmp_path / "missing.j2")
