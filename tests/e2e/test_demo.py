"""The whole path with real parts: traffic, proxies, spans, ClickHouse, root cause; by the command people type."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.edge import DOOR
from deploy.demo.mesh import OUTBOUND, first_instances
from deploy.demo.shop import RunningShop
from deploy.local.ports import Ports, PortTaken, check_free
from deploy.local.state import RunFolder, read_running
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


@pytest.mark.parametrize("fault", ["payments:latency", "inventory:errors"])
def test_the_broken_service_is_found_and_every_span_is_stored(fault: str, offset: int, tmp_path: Path) -> None:
    ran, verdict = experiment(fault, offset, tmp_path)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert verdict["finding"]["culprit"]["service"] == fault.partition(":")[0]
    assert verdict["rank"] == 1
    assert (verdict["spans_lost"], verdict["requests_lost"]) == (0, 0)
    assert verdict["spans"] > verdict["requests"] > 500


def test_nobody_is_blamed_while_nothing_is_wrong(offset: int, tmp_path: Path) -> None:
    ran, verdict = experiment("none", offset, tmp_path)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert verdict["finding"] is None
    assert (verdict["failures"], verdict["spans_lost"]) == ({}, 0), verdict["reasons"]


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
        an_outsider_comes_to_the_front_doors_only(offset)
        a_call_that_no_policy_allows_is_explained(ports, tmp_path)
        second = whymesh("demo", "--port-offset", str(offset), *state)
        assert second.returncode == 2
        assert f"process {process.pid} already runs in {tmp_path}/demo" in second.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert ports_are_free(offset)
    assert whymesh("why", *state, "--url", ports.url("rootcause")).returncode == 3


def an_outsider_comes_to_the_front_doors_only(offset: int) -> None:
    """Who is not known learns that it may not, and of no rule."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{DOOR + offset}/admin", timeout=10)
    with refused.value as answer:
        assert (answer.status, answer.headers["mesh-reason"]) == (403, "not_allowed")
        said = answer.read().decode()
    assert "(edge)" in said
    assert "customers" not in said


def a_call_that_no_policy_allows_is_explained(ports: Ports, state: Path) -> None:
    """Who asks is known by the certificate of its proxy; the answer and the story of the request name the rule."""
    cart = next(instance for instance in first_instances() if instance.service == "cart")
    asked = urllib.request.Request("http://payments/charges", b"", {"x-request-id": "trial-1"})
    through = urllib.request.ProxyHandler({"http": cart.address(OUTBOUND, ports)})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(through).open(asked, timeout=10)
    with refused.value as answer:
        assert (answer.status, answer.headers["mesh-reason"]) == (403, "not_allowed")
        missed = "caller spiffe://mesh.local/ns/default/sa/cart, not spiffe://mesh.local/ns/default/sa/checkout"
        assert f"payments/checkout: {missed}" in answer.read().decode()

    def told() -> str:
        return whymesh("why", "trial-1", "--state", str(state)).stdout

    until(lambda: "rule        payments/checkout" in told(), "the story of the request")
    assert f"missed      {missed}" in told()


class Customer:
    """Someone at the front door of a running demo."""

    def __init__(self, offset: int) -> None:
        self._door = f"127.0.0.1:{DOOR + offset}"

    def ask(self, method: str, path: str) -> tuple[int, float]:
        """Status and milliseconds of one request."""
        connection = http.client.HTTPConnection(self._door, timeout=30)
        with contextlib.closing(connection):
            began = time.monotonic()
            connection.request(method, path)
            status = connection.getresponse().status
            return status, (time.monotonic() - began) * 1000

    def quickest(self, path: str) -> float:
        """The least of three page loads, in milliseconds."""
        return min(self.ask("GET", path)[1] for _ in range(3))

    def mean(self, path: str) -> float:
        """The mean of ten page loads, in milliseconds."""
        return sum(self.ask("GET", path)[1] for _ in range(10)) / 10


def test_every_kind_of_fault_breaks_the_running_shop_and_is_healed(offset: int, tmp_path: Path) -> None:
    customer = Customer(offset)

    def fault(*words: str) -> None:
        ran = whymesh("fault", *words, "--state", str(tmp_path))
        assert ran.returncode == 0, ran.stderr

    def instances() -> set[str]:
        status = json.loads(whymesh("status", "--json", "--state", str(tmp_path)).stdout)
        return {proxy["name"] for proxy in status["proxies"] if proxy["epoch"]}

    with demo(offset, tmp_path):
        for kind, amount in (("latency", "1s"), ("link", "1s")):
            fault("catalog", kind, amount)
            assert customer.quickest("/") > 700, kind
            fault("catalog", "clear")
            until(lambda: customer.quickest("/") < 500, f"an end of {kind}")

        usual = customer.mean("/product/1")
        fault("catalog", "cpu", "90%")
        until(lambda: customer.mean("/product/1") > usual + 20, "slow pages by cpu")
        fault("catalog", "errors", "100%")
        assert customer.ask("GET", "/product/1")[0] == 502
        fault("catalog", "clear")
        assert customer.ask("GET", "/product/1")[0] == 200

        fault("shipping", "crash")
        assert customer.ask("POST", "/checkout")[0] == 502
        fault("shipping", "clear")
        until(lambda: customer.ask("POST", "/checkout")[0] == 200, "checkouts after the crash")

        fault("recommendations", "version", "100%")
        until(lambda: "recommendations-3" in instances(), "the sidecar of the new version")
        until(lambda: customer.ask("GET", "/product/1")[0] == 502, "failures of the new version")
        fault("recommendations", "clear")
        assert "recommendations-3" not in instances()
        assert [customer.ask("GET", "/product/1")[0] for _ in range(20)] == [200] * 20


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
