"""The whole path with real parts: traffic, proxies, spans, ClickHouse, root cause; by the command people type."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.shop import RunningShop
from deploy.ports import Ports, PortTaken, check_free
from deploy.state import RunFolder, read_running
from tests.world.processes import get, until

WHYMESH = (sys.executable, "-c", "from deploy.cli import main; main(prog_name='whymesh')")
THREE_MINUTES = 180.0


def ports_are_free(offset: int) -> bool:
    """Nothing of a demo at this offset listens, the UI included."""
    try:
        check_free(RunningShop(RunFolder(Path()), Ports(offset), 40, ui=True).wanted())
    except PortTaken:
        return False
    return True


@pytest.fixture
def offset() -> Iterator[int]:
    """Where a demo can run beside others; whatever happens in the test, it leaves nothing listening."""
    candidates = random.sample(range(300, 13_000, 100), 20)
    chosen = next(candidate for candidate in candidates if ports_are_free(candidate))
    yield chosen
    until(lambda: ports_are_free(chosen), "every process of the demo to be gone")


def whymesh(*arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*WHYMESH, *arguments], capture_output=True, text=True, check=False, timeout=timeout)


def experiment(fault: str, offset: int, state: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    ran = whymesh(
        "demo", "--fault", fault, "--exit", "--json", "--port-offset", str(offset), "--state", str(state),
        timeout=THREE_MINUTES,
    )  # fmt: skip
    assert ran.stdout, ran.stderr
    return ran, json.loads(ran.stdout)


@pytest.mark.parametrize("fault", ["payments:latency", "inventory:errors", "catalog:link"])
def test_the_broken_service_is_found_and_every_span_is_stored(fault: str, offset: int, tmp_path: Path) -> None:
    ran, verdict = experiment(fault, offset, tmp_path)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert verdict["finding"]["culprit"]["service"] == fault.partition(":")[0]
    assert verdict["rank"] == 1
    assert verdict["spans_lost"] == 0
    assert verdict["spans"] > verdict["requests"] > 500


def test_nobody_is_blamed_while_nothing_is_wrong(offset: int, tmp_path: Path) -> None:
    ran, verdict = experiment("none", offset, tmp_path)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert verdict["finding"] is None
    assert (verdict["request_errors"], verdict["spans_lost"]) == (0, 0)


@contextlib.contextmanager
def demo(offset: int, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A demo that stays, ready to be asked."""
    arguments = ("demo", "--no-ui", "--port-offset", str(offset), "--state", str(state))
    with (state / "demo.log").open("wb") as log, subprocess.Popen([*WHYMESH, *arguments], stderr=log) as process:
        try:

            def announced() -> bool:
                assert process.poll() is None, (state / "demo.log").read_text()
                return read_running(state / "demo") is not None

            until(announced, "the demo to be up", patience_s=60)
            yield process
        finally:
            process.kill()


def test_a_running_demo_answers_everyone_and_ctrl_c_leaves_nothing(offset: int, tmp_path: Path) -> None:
    state = ("--state", str(tmp_path))
    ports = Ports(offset)
    with demo(offset, tmp_path) as process:
        count = "SELECT count() AS spans FROM otel.otel_traces"

        def spans() -> int:
            return int(json.loads(whymesh("sql", "--json", count, *state).stdout)["spans"])

        until(lambda: spans() > 100, "spans in the store")
        assert int(get(f"{ports.url('clickhouse_http')}/?query=SELECT+count()+FROM+otel.otel_traces")[1]) > 100
        assert whymesh("fault", "payments", "latency", "50ms", *state).returncode == 0
        assert json.loads(get(f"http://127.0.0.1:{18_600 + offset}/status")[1]) == {
            "faults": {"payments": "payments:latency:50ms"}
        }
        assert whymesh("fault", "payments", "crash", "--instance", "payments-9", *state).returncode == 2
        assert whymesh("fault", "payments", "clear", *state).returncode == 0
        assert json.loads(get(f"http://127.0.0.1:{18_600 + offset}/status")[1]) == {"faults": {}}
        second = whymesh("demo", "--port-offset", str(offset), *state)
        assert second.returncode == 2
        assert f"process {process.pid} already runs in {tmp_path}/demo" in second.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert ports_are_free(offset)
    assert whymesh("why", *state, "--url", ports.url("rootcause")).returncode == 3


def test_a_demo_that_is_killed_takes_its_processes_with_it(offset: int, tmp_path: Path) -> None:
    with demo(offset, tmp_path) as process:
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
        until(lambda: ports_are_free(offset), "the end of every process", patience_s=10)


def test_a_port_in_use_is_told_before_anything_starts(offset: int, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 8123 + offset)):
        ran = whymesh("demo", "--port-offset", str(offset), "--state", str(tmp_path))
    assert ran.returncode == 2
    assert f"Port {8123 + offset}" in ran.stderr
    assert "wanted by the collector (ClickHouse HTTP)" in ran.stderr
    assert "--port-offset" in ran.stderr
    assert list((tmp_path / "demo" / "logs").iterdir()) == []
