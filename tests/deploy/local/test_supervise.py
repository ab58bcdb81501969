"""The supervisor with real processes: readiness, order, deaths, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.supervise import Death, Spec, StartFailed, Supervisor
from tests.world.processes import free_port, until

SLEEP = (sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)")


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", code)


def alive(pid: int) -> bool:
    """Running, and not a zombie that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def deaths() -> list[Death]:
    return []


@pytest.fixture
async def supervisor(tmp_path: Path, deaths: list[Death]):
    supervisor = Supervisor(tmp_path, deaths.append)
    yield supervisor
    await supervisor.stop_all()


async def test_a_process_is_started_when_what_it_comes_after_is_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    port = free_port()
    server = f"import time, http.server as h; time.sleep(0.4); h.test(h.SimpleHTTPRequestHandler, port={port})"
    seen: list[str] = []
    await supervisor.start(
        [
            Spec("second", python(f"import socket; socket.create_connection(('127.0.0.1', {port})); {SLEEP[-1]}"),
                 after=("first",)),
            Spec("first", (sys.executable, "-c", server), ready=f"http://127.0.0.1:{port}/", cwd=tmp_path),
        ],
        seen.append,
    )  # fmt: skip
    assert seen == ["first", "second"]


async def test_a_process_that_ends_before_it_is_ready_is_told_with_its_log(supervisor: Supervisor) -> None:
    broken = Spec("broken", python("raise SystemExit('no such file: x.yaml')"), ready="tcp://127.0.0.1:1")
    with pytest.raises(StartFailed, match=r"broken did not start.*exit code 1(.|\n)*no such file: x.yaml"):
        await supervisor.start([broken, Spec("other", SLEEP)])


async def test_a_command_that_does_not_exist_is_named(supervisor: Supervisor) -> None:
    with pytest.raises(StartFailed, match="cannot start no-such-program: No such file"):
        await supervisor.start([Spec("app", ("no-such-program",), ready="tcp://127.0.0.1:1")])


async def test_a_process_that_is_never_ready_is_told(supervisor: Supervisor) -> None:
    with pytest.raises(StartFailed, match=r"slow was not ready at tcp://127\.0\.0\.1:1 within 0 s"):
        await supervisor.start([Spec("slow", SLEEP, ready="tcp://127.0.0.1:1", ready_within_s=0.3)])


async def test_a_death_is_reported_and_nothing_is_restarted(supervisor: Supervisor, deaths: list[Death]) -> None:
    await supervisor.start([Spec("app", SLEEP)])
    os.kill(supervisor.pid("app"), signal.SIGKILL)
    await asyncio.to_thread(until, lambda: bool(deaths), "a death")
    assert (deaths[0].name, deaths[0].exit_code) == ("app", -9)
    assert supervisor.names() == []


async def test_a_kill_on_purpose_is_no_death_and_it_can_be_started_again(
    supervisor: Supervisor, deaths: list[Death]
) -> None:
    spec = Spec("app", SLEEP)
    await supervisor.start([spec])
    await supervisor.kill("app")
    assert supervisor.names() == []
    await supervisor.start([spec])
    assert supervisor.names() == ["app"]
    assert deaths == []


async def test_dependents_stop_first(supervisor: Supervisor, tmp_path: Path) -> None:
    says_when_it_stops = """
import signal, sys, time
def stop(*_):
    open("order", "a").write(NAME)
    sys.exit()
signal.signal(signal.SIGTERM, stop)
open(NAME, "w").close()
while True:
    time.sleep(1)
"""
    names = {"a": (), "b": ("a",), "c": ("b",)}
    await supervisor.start(
        Spec(name, python(f"NAME={name!r}\n{says_when_it_stops}"), cwd=tmp_path, after=after)
        for name, after in names.items()
    )
    await asyncio.to_thread(until, lambda: all((tmp_path / name).exists() for name in names), "signal handlers")
    await supervisor.stop_all()
    assert (tmp_path / "order").read_text() == "cba"


async def test_what_ignores_sigterm_is_killed_with_its_children(supervisor: Supervisor, tmp_path: Path) -> None:
    code = (
        "import os, signal, subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"child = subprocess.Popen({SLEEP!r}); open('new', 'w').write(str(child.pid));"
        "os.rename('new', 'child'); child.wait()"
    )
    await supervisor.start([Spec("stubborn", (sys.executable, "-c", code), cwd=tmp_path, grace_s=0.2)])
    await asyncio.to_thread(until, (tmp_path / "child").exists, "the child")
    pid, child = supervisor.pid("stubborn"), int((tmp_path / "child").read_text())
    await supervisor.stop_all()
    assert not alive(pid)
    until(lambda: not alive(child), "the end of the child")


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is of Linux")
def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import asyncio
from pathlib import Path
from deploy.local.supervise import Spec, Supervisor
async def main():
    supervisor = Supervisor(Path({str(tmp_path)!r}), print)
    await supervisor.start([Spec("one", {SLEEP!r}), Spec("two", {SLEEP!r})])
    print(supervisor.pid("one"), supervisor.pid("two"), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        assert all(alive(pid) for pid in children)
        parent.kill()
    until(lambda: not any(alive(pid) for pid in children), "the end of the children")
