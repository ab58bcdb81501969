"""`whymesh export` and `import` as processes: options, exit codes, what they say."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_driver import Client

from tests.world.homes import served_elsewhere
from tests.world.processes import WHYMESH, free_port
from tests.world.stores import StoreProcess

ALERTS = (
    "INSERT INTO otel.mesh_alerts (Time, IncidentId)"
    " VALUES ('2026-01-02', '0'), ('2026-01-02', '1'), ('2026-01-03', '2')"
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    with served_elsewhere(tmp_path_factory.mktemp("served"), tables=True) as server:
        with Client("127.0.0.1", server.port, user="owner") as client:
            client.execute(ALERTS)
        yield server


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([WHYMESH, *arguments], capture_output=True, text=True, check=False, timeout=120)


def test_days_go_out_and_come_in_once(served: StoreProcess, tmp_path: Path) -> None:
    folder = str(tmp_path / "archive")
    days = ("--from", "2026-01-02", "--to", "2026-01-03", "--table", "mesh_alerts")
    exported = run("export", folder, "--store", served.url(), *days)
    assert exported.returncode == 0, exported.stderr
    assert exported.stdout.startswith("mesh_alerts/2026-01-02.parquet: 2 rows, ")
    with Client("127.0.0.1", served.port, user="owner") as client:
        client.execute("ALTER TABLE otel.mesh_alerts DELETE WHERE IncidentId = '1' AND Time < '2026-01-03'")
        for new in (1, 0):
            imported = run("import", folder, "--store", served.url("owner"))
            assert imported.returncode == 0, imported.stderr
            assert imported.stdout == f"mesh_alerts/2026-01-02.parquet: {new} of 2 rows were new\n"
        assert client.execute("SELECT count() FROM otel.mesh_alerts WHERE Time < '2026-01-03'") == [(2,)]


def test_what_went_wrong_is_said_with_its_exit_code(served: StoreProcess, tmp_path: Path) -> None:
    nobody = f"clickhouse://127.0.0.1:{free_port()}/otel"
    for code, says, arguments in (
        (2, "is no archive", ("import", str(tmp_path), "--store", served.url())),
        (2, "--table spans: there are otel_traces,", ("export", str(tmp_path), "--table", "spans")),
        (2, "give one of them", ("export", str(tmp_path), "--since", "1h", "--from", "2026-01-01")),
        (2, "nothing lies between", ("export", str(tmp_path), "--from", "2026-01-02", "--to", "2026-01-01")),
        (3, "does not answer", ("export", str(tmp_path / "a"), "--store", nobody)),
    ):
        done = run(*arguments)
        assert (done.returncode, says in done.stderr) == (code, True), done.stderr
        assert "Traceback" not in done.stderr


def test_a_reader_is_told_what_an_import_needs(served: StoreProcess, tmp_path: Path) -> None:
    assert run("export", str(tmp_path), "--store", served.url(), "--to", "2026-01-03").returncode == 0
    refused = run("import", str(tmp_path), "--store", served.url())
    assert refused.returncode == 1
    assert "an import needs an account with the role owner" in refused.stderr
