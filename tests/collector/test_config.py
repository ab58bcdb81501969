"""A mistake in the configuration is told with its path; flags win over the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.config import load
from collector.errors import ConfigRefused


def written(folder: Path, text: str) -> Path:
    path = folder / "collector.yaml"
    path.write_text(text)
    return path


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "data: /from/file\nlisten: {grpc: '127.0.0.1:1', http: '[::1]:2'}\nwrite: {wait_ms: 7}\n")
    config = load(path, {"listen.grpc": "0.0.0.0:9", "listen.metrics": None, "data": None})
    assert (str(config.data), config.listen.grpc, config.listen.http) == ("/from/file", "0.0.0.0:9", "[::1]:2")
    assert (config.listen.metrics, config.write.wait_ms, config.own_spans) == ("127.0.0.1:8888", 7, True)


def test_flags_alone_are_enough(tmp_path: Path) -> None:
    assert load(None, {"data": tmp_path}).data == tmp_path
    assert load(written(tmp_path, ""), {"data": tmp_path}).data == tmp_path


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("listen: {}", "data: missing"),
        (
            "data: d\nstore: {url: 'clickhouse://h/other'}",
            "store.url: Value error, the tables are in the database",
        ),
        ("data: d\nstore: {cluster: c}", "store: Value error, cluster and replicated are for a server"),
        ("data: d\nstore: {url: 'clickhouse://h', sharded: true}", "store: Value error, sharded tables need the name"),
        ("data: d\ndoors: {accounts: [{name: a}, {name: a}]}", "doors.accounts: Value error, two accounts have"),
        ("data: d\ndoors: {limits: {memory: 1}}", "doors.limits.memory: Input should be greater than or equal to"),
        ("data: d\nlisten: {grcp: '127.0.0.1:1'}", "listen.grcp: there is no such setting"),
        ("data: d\nlisten: {http: '4318'}", "listen.http: expected host:port, found '4318'"),
        ("data: d\ntail: {sample: 5}", "tail.sample: Input should be less than or equal to 1, found 5"),
        ("data: d\ntail: {wait: 5}", "tail.wait: there is no such setting"),
        ("data: d\nwrite: {rows: 0}", "write.rows: Input should be greater than or equal to 1, found 0"),
        ("data: d\nlisten: all", "listen: "),
        ("- data", "expected a mapping"),
        ("data: [", "not YAML"),
    ],
)
def test_mistakes_name_file_and_path(tmp_path: Path, text: str, mistake: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigRefused) as caught:
        load(path, {"listen.metrics": "127.0.0.1:0"})
    assert f"{path}: {mistake}" in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused) as caught:
        load(written(tmp_path, "listen: {a: 1}\nwrite: {rows: many}"), {})
    assert len(str(caught.value).splitlines()) == 3


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused, match=r"absent\.yaml: No such file or directory"):
        load(tmp_path / "absent.yaml", {})


def test_the_documented_file_is_the_default_configuration(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "collector.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    assert load(written(tmp_path, example), {}) == load(None, {"data": "/var/lib/whymesh"})
