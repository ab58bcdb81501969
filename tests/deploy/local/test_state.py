"""Run folders: held by one process, emptied when asked, found by other commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.state import RunFolder, RunHeld, Running, default_state, find_running

HOLD = """
from pathlib import Path
from deploy.local.state import RunFolder
with RunFolder(Path({root!r})).hold(fresh=True):
    print("held", flush=True)
    input()
"""


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD.format(root=str(tmp_path))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunHeld, match="--state"), RunFolder(tmp_path).hold(fresh=False):
            pass
        other.communicate("\n")
    with RunFolder(tmp_path).hold(fresh=False):
        pass


@pytest.mark.parametrize("fresh", [True, False])
def test_what_a_run_left_is_kept_unless_it_is_to_be_fresh(tmp_path: Path, fresh: bool) -> None:
    folder = RunFolder(tmp_path / "demo")
    with folder.hold(fresh=True):
        (folder.data / "rows").touch()
    with folder.hold(fresh=fresh):
        assert (folder.data / "rows").exists() is not fresh


def test_a_run_is_found_while_it_lasts_and_by_what_it_can_do(tmp_path: Path) -> None:
    up, demo = RunFolder(tmp_path / "up"), RunFolder(tmp_path / "demo")
    with demo.hold(fresh=True), up.hold(fresh=True):
        assert find_running(tmp_path) is None
        demo.announce(Running(os.getpid(), "http://r:1", "clickhouse://s:1", "http://f:1"))
        up.announce(Running(os.getpid(), "http://r:2", "clickhouse://s:2"))
        newest = find_running(tmp_path)
        assert newest is not None
        assert newest.store == "clickhouse://s:2"
        with_faults = find_running(tmp_path, demo=True)
        assert with_faults is not None
        assert with_faults.faults == "http://f:1"
    assert find_running(tmp_path) is None


def test_a_run_whose_process_is_gone_is_not_found(tmp_path: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    folder = RunFolder(tmp_path / "demo")
    folder.root.mkdir()
    folder.announce(Running(int(gone.stdout), "", ""))
    assert find_running(tmp_path) is None


def test_the_state_directory_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert default_state() == Path("/somewhere/whymesh")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_state() == Path.home() / ".local/state/whymesh"
