from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.world.stores import StoreProcess

OPEN = "import sys; from collector.store.embedded import EmbeddedStore as S; S.open(sys.argv[1])"


def test_a_second_process_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    holder = StoreProcess(tmp_path, tmp_path / "holder.log")
    try:
        second = subprocess.run(
            [sys.executable, "-c", OPEN, str(tmp_path / "data")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        holder.end()
    last = second.stderr.splitlines()[-1]
    assert "StoreUnavailable" in last
    assert f"in use by another collector (process {holder.process.pid})" in last


def test_what_was_inserted_survives_a_kill(tmp_path: Path) -> None:
    first = StoreProcess(tmp_path, tmp_path / "first.log")
    first.client.execute("INSERT INTO mesh_alerts (IncidentId) VALUES", [("kept",)])
    first.end()
    second = StoreProcess(tmp_path, tmp_path / "second.log")
    try:
        assert second.client.execute("SELECT IncidentId FROM mesh_alerts") == [("kept",)]
    finally:
        second.end()
