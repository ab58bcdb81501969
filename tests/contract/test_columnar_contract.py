"""The encoder's boundary: its stub tells the truth, and its blocks have the columns of the table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from collector import _columnar as columnar
from tests.world import otlp_requests as world
from tests.world.clickhouse import clickhouse

ROOT = Path(__file__).parents[2]


def test_stub_tells_the_truth() -> None:
    assert (ROOT / "collector" / "_columnar.pyi").is_file()
    checked = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "collector._columnar"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def test_columns_are_those_of_the_table(tmp_path: Path) -> None:
    block = columnar.encode_traces(world.request(world.span()).SerializeToString()).block
    path = tmp_path / "request.native"
    path.write_bytes(block)
    with clickhouse(tmp_path) as server:
        written = server.query(f"DESCRIBE file('{path}', Native)")
        declared = "SELECT name, type FROM system.columns WHERE database = 'otel' AND table = 'otel_traces'"
        assert [column[:2] for column in written] == server.query(declared)


@pytest.mark.parametrize("function", [columnar.encode_traces, columnar.count_data_points, columnar.count_log_records])
def test_nothing_sent_is_nothing_counted(function: object) -> None:
    assert callable(function)
    answer = function(b"")
    assert (answer if isinstance(answer, int) else answer.rows) == 0
