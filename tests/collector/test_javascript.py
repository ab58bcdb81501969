"""Spans of OpenTelemetry's SDK for JavaScript arrive whole, through each of its exporters."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world.collectors import Collector, collector

HERE = Path(__file__).parent / "javascript"
INSTALLED = Path(__file__).parents[2] / "target" / "javascript"
DOORS = {"grpc": ("grpc", ""), "http": ("http", "/v1/traces"), "proto": ("http", "/v1/traces")}


@pytest.fixture(scope="module")
def script() -> Path:
    """The script beside its packages, which npm brings the first time."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node or npm is not installed (apt-get install nodejs npm)")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    wanted = (HERE / "package.json").read_text()
    stamp = INSTALLED / "installed.json"
    if not stamp.exists() or stamp.read_text() != wanted:
        (INSTALLED / "package.json").write_text(wanted)
        npm = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
        try:
            done = subprocess.run(npm, cwd=INSTALLED, capture_output=True, text=True, timeout=240, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip("npm brings no packages within four minutes")
        if done.returncode:
            pytest.skip(f"npm brings no packages here: {done.stderr.strip().splitlines()[-1:]}")
        stamp.write_text(wanted)
    return Path(shutil.copy(HERE / "send.js", INSTALLED / "send.js"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with collector(tmp_path_factory.mktemp("collector")) as served:
        yield served


@pytest.mark.parametrize("kind", DOORS)
def test_a_trace_arrives_whole(script: Path, served: Collector, kind: str) -> None:
    door, path = DOORS[kind]
    service = f"javascript-{kind}"
    command = ["node", str(script), kind, served.url(door, path), service]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    trace = done.stdout.strip()
    served.settle()
    rows = served.query(
        "SELECT SpanName, SpanKind, StatusCode, StatusMessage, SpanAttributes, Events.Name, length(Links.SpanId),"
        " ParentSpanId = '' FROM otel.otel_traces"
        f" WHERE TraceId = '{trace}' AND ServiceName = '{service}' AND ScopeName = 'shop' ORDER BY SpanName"
    )
    assert rows == [
        ("GET /cart", "Server", "Unset", "", {"http.route": "/cart", "items": "3"}, [], 0, 1),
        ("SELECT", "Client", "Error", "no such table", {"tags": '["a","b"]'}, ["exception"], 0, 0),
        ("render", "Internal", "Unset", "", {}, [], 1, 0),
    ]
