"""Settings: the file, the command line on top, mistakes named with their path."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootcause.settings import SettingsRefused, read_settings


def test_the_command_line_overrides_the_file_and_keeps_its_rest(tmp_path: Path) -> None:
    file = tmp_path / "rootcause.yaml"
    file.write_text("every_s: 2\nlisten: 127.0.0.1:1\nwebhooks: {urls: [http://a/], allow_link_local: true}\n")
    settings = read_settings(file, {"listen": "127.0.0.1:2", "webhooks": {"urls": ("http://b/",)}})
    assert (settings.every_s, settings.listen) == (2, "127.0.0.1:2")
    assert [told.url for told in settings.webhooks.urls] == ["http://b/"]
    assert settings.webhooks.allow_link_local


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("every: 2", "every"),
        ("every_s: 0", "every_s"),
        ("webhooks: {urls: 7}", "webhooks.urls"),
        ("webhooks: {urls: [{url: 'http://a/', per_minute: 0}]}", "per_minute"),
        ("webhooks: {urls: ['http://a/', {url: 'http://a/'}]}", "http://a/ is there twice"),
        ("webhooks: {ui: mesh.example}", "webhooks.ui"),
        ("- 1", "expected a mapping"),
        ("a: [", r"rootcause\.yaml:1:5: .*this is no YAML"),
        ("a: 1\n b: 2", r"rootcause\.yaml:2:3: "),
        ("every_s: soon\nwebhoks: {}", "every_s: .*; webhoks: there is no such setting"),
        ("rules: [{name: disk, sql: DROP TABLE x}]", "sql: a rule asks"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, path: str) -> None:
    file = tmp_path / "rootcause.yaml"
    file.write_text(text)
    with pytest.raises(SettingsRefused, match=path):
        read_settings(file, {})


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rootcause.yaml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsRefused, match=r"rootcause\.yaml: .*no YAML in UTF-8"):
        read_settings(file, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match=r"nowhere\.yaml"):
        read_settings(tmp_path / "nowhere.yaml", {})


def test_an_empty_file_means_defaults(tmp_path: Path) -> None:
    file = tmp_path / "rootcause.yaml"
    file.write_text("")
    assert read_settings(file, {}).listen == "127.0.0.1:7470"


def test_objectives_and_rules_are_told_apart_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rootcause.yaml"
    path.write_text(
        "objectives:\n- {service: front, availability: 99.5}\n"
        "- {service: front, route: /checkout, latency: {within_ms: 300, share: 99}}\n"
        "rules:\n- {name: full, sql: SELECT 1}\n"
    )
    settings = read_settings(path, {})
    assert [objective.name for objective in settings.objectives] == [
        "front availability 99.5%",
        "front /checkout latency 300ms 99%",
    ]
    assert settings.rules[0].every_s == 60
    path.write_text("rules:\n- {name: full, sql: SELECT 1}\n- {name: full, sql: SELECT 2}\n")
    with pytest.raises(SettingsRefused, match="full is there twice"):
        read_settings(path, {})
    path.write_text("objectives: []\n")
    assert read_settings(path, {}).objectives == ()
