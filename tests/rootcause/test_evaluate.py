"""Recorded incidents through the live engine's code: spans and node series, quiet cases, broken folders."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from click.testing import CliRunner

from rootcause.evaluate import command, rank_suite
from rootcause.load.recorded import Case, CaseFile, CaseRefused, read_case
from rootcause.load.recorded_spans import messages
from tests.rootcause.cases import write_suite
from tests.world.mesh_sim import Fault

SLOW = (Fault("latency", "payments", 300, 0.0),)
LOSSY = (Fault("errors", "catalog", 0.3, 0.0),)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("suites") / "shop", {"c1": SLOW, "c2": LOSSY, "c3": ()})


def test_ranks_faults_and_is_silent_on_quiet_cases(suite: Path) -> None:
    rankings = rank_suite(suite)
    assert rankings["c1"][0] == "payments"
    assert rankings["c2"][0] == "catalog"
    assert rankings["c3"] == []


def test_the_command_writes_what_scorers_read(suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "ranking.json"
    result = CliRunner().invoke(command, [str(suite), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert set(json.loads(out.read_text())) == {"c1", "c2", "c3"}
    assert "somebody blamed in 2" in result.stderr


def test_a_case_that_cannot_be_read_leaves_the_others(suite: Path, tmp_path: Path) -> None:
    shutil.copytree(suite, tmp_path / "shop")
    (tmp_path / "shop" / "c1" / "spans.otlp.zst").write_bytes(zstandard.compress(b"\x03abc"))
    result = CliRunner().invoke(command, [str(tmp_path / "shop")])
    assert "c1: " in result.stderr
    assert "spans.otlp.zst: " in result.stderr
    assert json.loads(result.stdout)["c1"] == []
    assert json.loads(result.stdout)["c2"][0] == "catalog"


def test_rollouts_shortly_before_the_fault_are_known(suite: Path, tmp_path: Path) -> None:
    shutil.copytree(suite / "c1", tmp_path / "c1")
    case = read_case(tmp_path / "c1")
    assert case.changed(600) == frozenset()
    times = {"cart": -60, "payments": -3600, "front": 10}
    rollouts = [
        {"time": (case.file.fault_start + timedelta(seconds=s)).isoformat(), "service": name, "from": "1", "to": "2"}
        for name, s in times.items()
    ]
    (tmp_path / "c1" / "changes.json").write_text(json.dumps(rollouts))
    assert case.changed(600) == {"cart", "front"}
    (tmp_path / "c1" / "changes.json").write_text('[{"time": "soon"}]')
    with pytest.raises(CaseRefused, match=r"changes\.json: 0\.time"):
        case.changed(600)


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert result.exit_code == 2
    assert "no folder in it has a case.json" in result.stderr


def test_answers_are_not_read(suite: Path) -> None:
    (suite / "answers.csv").write_text("case_id,service,kind,detail,aliases,source\nc3,cart,latency,,,\n")
    assert rank_suite(suite)["c3"] == []


def test_normal_time_leaves_out_the_incident_s_own(tmp_path: Path) -> None:
    at = datetime(2026, 1, 2, 12, tzinfo=UTC)
    minutes = [at + timedelta(minutes=minute) for minute in (0, 10, 15, 60)]
    described = CaseFile(
        id="c",
        suite="s",
        fault_start=minutes[1],
        fault_end=minutes[2],
        baseline=((minutes[0], minutes[3]),),
        baseline_files=(),
    )
    first, second = Case(tmp_path, described).baseline
    assert (first.seconds, second.seconds) == (600, 2700)
    assert first.end == Case(tmp_path, described).incident[0].start


def test_a_broken_description_is_named(tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text('{"id": "x"}')
    with pytest.raises(CaseRefused, match=r"case\.json: fault_start"):
        read_case(tmp_path)


@pytest.mark.parametrize("broken", [b"rubbish", b""])
def test_a_broken_recording_is_named(tmp_path: Path, broken: bytes) -> None:
    path = tmp_path / "x.spans.otlp.zst"
    path.write_bytes(broken or zstandard.compress(b"\x7fshort"))
    with pytest.raises(CaseRefused, match=r"x\.spans\.otlp\.zst"):
        list(messages(path))


def node_suite(folder: Path) -> Path:
    """web -> api -> db in 5 min steps; in the case the database takes 80 ms instead of 10."""
    normal = [row(index * 300, db_ms=10 + index % 3) for index in range(30)]
    incident = [row(100_000 + index * 300, db_ms=80) for index in range(5)]
    for path, rows in ((folder / "baseline", normal), (folder / "n1", incident)):
        path.mkdir(parents=True)
        name = "normal.edges.parquet" if path.name == "baseline" else "edges.parquet"
        pq.write_table(pa.Table.from_pylist([one for step in rows for one in step]), path / name)
    (folder / "graph.csv").write_text("source,destination\nweb,api\napi,db\n")
    case = {
        "id": "n1",
        "suite": "nodes",
        "fault_start": "1970-01-02T03:46:40Z",
        "fault_end": "1970-01-02T04:11:40Z",
        "baseline": [["1970-01-01T00:00:00Z", "1970-01-01T03:00:00Z"]],
        "baseline_files": ["baseline/normal.edges.parquet"],
        "target": {"service": "web", "signal": "latency"},
    }
    (folder / "n1" / "case.json").write_text(json.dumps(case))
    return folder


def row(second: int, db_ms: float) -> list[dict[str, object]]:
    """One step of all three nodes, and an edge row, which says nothing of a node as a whole."""
    time = datetime.fromtimestamp(second, UTC)
    latency = {"web": 30 + db_ms, "api": 20 + db_ms, "db": db_ms}
    rows: list[dict[str, object]] = []
    for source, node in ((None, "web"), (None, "api"), (None, "db"), ("web", "api")):
        seconds = latency[node] / 1000
        quantiles = {f"latency_{name}": seconds for name in ("avg", "p50", "p90", "p95", "p99")}
        ends = {"source": source, "destination": node, "requests": 100.0, "error_rate": 0.0}
        rows.append({"time": time, **ends, **quantiles})
    return rows


def test_node_series_and_a_call_graph_are_enough(tmp_path: Path) -> None:
    assert rank_suite(node_suite(tmp_path / "nodes"))["n1"] == ["db"]
