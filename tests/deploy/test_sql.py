"""`whymesh sql` over a real store: every form of output, and an error in ClickHouse's words."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world.collectors import Collector, collector
from tests.world.processes import WHYMESH


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with collector(tmp_path_factory.mktemp("collector")) as running:
        yield running


def ask(served: Collector, *arguments: str) -> subprocess.CompletedProcess[str]:
    store = f"clickhouse://127.0.0.1:{served.ports['clickhouse_native']}/otel"
    return subprocess.run(
        [WHYMESH, "sql", "--store", store, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_a_table_shows_every_character_and_reads_none_as_markup(served: Collector) -> None:
    printed = ask(served, "SELECT '[red]x[/red]' AS `a[0]`, repeat('f', 32) AS trace, repeat('g', 60) AS wide")
    assert printed.returncode == 0
    assert "[red]x[/red]" in printed.stdout
    assert "a[0]" in printed.stdout
    assert "…" not in printed.stdout
    assert printed.stdout.count("g") == 60


def test_json_is_one_object_a_row(served: Collector) -> None:
    printed = ask(served, "--json", "SELECT number AS n, toString(number) AS s FROM numbers(2)")
    assert [json.loads(line) for line in printed.stdout.splitlines()] == [{"n": 0, "s": "0"}, {"n": 1, "s": "1"}]


def test_csv_has_a_head(served: Collector) -> None:
    printed = ask(served, "--csv", "SELECT 1 AS n, 'a,b' AS s")
    assert printed.stdout.splitlines() == ["n,s", '1,"a,b"']


def test_an_error_is_clickhouses_own(served: Collector) -> None:
    printed = ask(served, "SELECT nothing")
    assert printed.returncode == 1
    assert "nothing" in printed.stderr
    assert "Traceback" not in printed.stderr
    assert printed.stdout == ""


def test_it_only_reads(served: Collector, tmp_path: Path) -> None:
    printed = ask(served, f"INSERT INTO FUNCTION file('{tmp_path}/x', 'CSV', 'a Int8') SELECT 1")
    assert printed.returncode == 1
    assert not (tmp_path / "x").exists()


def test_parquet_keeps_types_and_maps(served: Collector, tmp_path: Path) -> None:
    from pyarrow import parquet

    path = tmp_path / "answer.parquet"
    printed = ask(
        served,
        "--parquet",
        str(path),
        "SELECT number AS n, map('k', toString(number)) AS m, now() AS t FROM numbers(3)",
    )
    assert printed.returncode == 0, printed.stderr
    read = parquet.read_table(path)
    assert read["n"].to_pylist() == [0, 1, 2]
    assert read["m"].to_pylist()[1] == [("k", "1")]
    assert str(read.schema.field("t").type).startswith("timestamp")


def test_an_estimate_reads_nothing(served: Collector) -> None:
    printed = ask(served, "--estimate", "--json", "SELECT * FROM otel.mesh_migrations")
    (row,) = [json.loads(line) for line in printed.stdout.splitlines()]
    assert (row["table"], row["parts"] > 0, row["rows"] > 0) == ("mesh_migrations", True, True)


def test_a_query_is_kept_and_asked_again(served: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert ask(served, "--save", "two", "--csv", "SELECT 2 AS n").stdout.splitlines() == ["n", "2"]
    assert ask(served, "--csv", "@two").stdout.splitlines() == ["n", "2"]
    absent = ask(served, "@three")
    assert absent.returncode == 2
    assert "no query is kept as @three; there are: @two" in absent.stderr
    assert "is no name" in ask(served, "@../two").stderr
