"""The sidecar as a process: follows the control plane, carries on without it, and says what is wrong in one line."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.world import meshes
from tests.world.processes import Process, free_port, get, running, until
from tests.world.threaded import Application, serving

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def app() -> Iterator[int]:
    with serving(Application()) as application:
        yield application.port


@dataclass
class Place:
    """One service with one sidecar, and where everything listens."""

    folder: Path
    app: int
    control: int
    inbound: int
    outbound: int
    admin: int
    telemetry: dict[str, Any] = field(default_factory=lambda: {"enabled": False})

    def write(self, **spec: Any) -> Path:
        side = meshes.sidecar(self.inbound, self.outbound, self.admin)
        return meshes.write(
            self.folder / "mesh.yaml",
            meshes.mesh(telemetry=self.telemetry),
            meshes.service("front", meshes.endpoint("front-1", self.app, sidecar=side), **spec),
        )

    def start_control(self) -> Any:
        arguments = ("-f", str(self.write()), "--listen", f"127.0.0.1:{self.control}")
        return running("proxy.control", *arguments, "--state", str(self.folder / "c"), log=self.folder / "control.log")

    def start_sidecar(self, instance: str = "front-1") -> Any:
        arguments = ("--instance", instance, "--admin", f"127.0.0.1:{self.admin}", "--state", str(self.folder / "s"))
        control = ("--control", f"http://127.0.0.1:{self.control}")
        return running("proxy", *arguments, *control, log=self.folder / f"{instance}.log")

    def ready(self, sidecar: Process) -> None:
        sidecar.ready(f"http://127.0.0.1:{self.admin}/readyz")

    def admin_page(self, path: str) -> tuple[int, str]:
        return get(f"http://127.0.0.1:{self.admin}{path}")

    def epoch(self) -> int:
        epoch: int = json.loads(self.admin_page("/config")[1])["epoch"]
        return epoch

    def call(self) -> tuple[int, str]:
        return get(f"http://127.0.0.1:{self.inbound}/")


@pytest.fixture
def place(tmp_path: Path, app: int) -> Place:
    return Place(tmp_path, app, *(free_port() for _ in range(4)))


def test_requests_are_carried_counted_and_an_edit_drops_none(place: Place) -> None:
    with place.start_control() as control, place.start_sidecar() as sidecar:
        control.ready(f"http://127.0.0.1:{place.control}/readyz")
        place.ready(sidecar)
        answers: list[tuple[int, str]] = []
        done = threading.Event()

        def drive() -> None:
            while not done.is_set():
                answers.append(place.call())

        driver = threading.Thread(target=drive)
        driver.start()
        for number in range(2, 8):
            place.write(timeout=f"{number}s")
            until(lambda epoch=number: place.epoch() == epoch, f"epoch {number} to be served")  # type: ignore[misc]
        done.set()
        driver.join()
        assert set(answers) == {(200, "hi")}
        counted = json.loads(place.admin_page("/stats")[1])["requests"]
        assert sum(s["count"] for s in counted if s["direction"] == "inbound") == len(answers)
        metrics = place.admin_page("/metrics")[1]
        assert "whymesh_proxy_epoch 7.0" in metrics
        series = 'direction="inbound",instance="front-1",peer="",route="/",service="front",status="2xx"'
        assert f"whymesh_proxy_request_duration_seconds_count{{{series}}} {len(answers)}.0" in metrics
        series = (
            'direction="inbound",instance="front-1",peer="",reason="",route="/",service="front",status="2xx",version=""'
        )
        assert f"whymesh_proxy_requests_total{{{series}}} {len(answers)}.0" in metrics
        assert sidecar.terminate() == 0


def test_spans_outlive_the_sidecar_while_the_collector_is_away(place: Place) -> None:
    def metric(name: str) -> str:
        lines = place.admin_page("/metrics")[1].splitlines()
        return next((line for line in lines if line.startswith(f"{name} ")), f"no {name}")

    place.telemetry = {"endpoint": f"http://127.0.0.1:{free_port()}/v1/traces", "flush": "10ms"}
    with place.start_control() as control, place.start_sidecar() as killed:
        control.ready(f"http://127.0.0.1:{place.control}/readyz")
        place.ready(killed)
        assert [place.call() for _ in range(5)] == [(200, "hi")] * 5
        until(lambda: metric("whymesh_proxy_spool_records") == "whymesh_proxy_spool_records 5.0", "spans on disk")
        assert metric("whymesh_proxy_export_away") == "whymesh_proxy_export_away 1.0"
        assert metric("whymesh_proxy_spool_usable") == "whymesh_proxy_spool_usable 1.0"
        killed.kill()
        with place.start_sidecar() as sidecar:
            place.ready(sidecar)
            for what in ("recovered_total", "pending"):
                assert metric(f"whymesh_proxy_spans_{what}") == f"whymesh_proxy_spans_{what} 5.0"
            assert list((place.folder / "s" / "front-1.spool").glob("*.spool"))


def test_a_flagged_trace_is_flushed_by_every_proxy(place: Place) -> None:
    place.telemetry = {"mode": "recorder", "enabled": False}
    control_plane = f"http://127.0.0.1:{place.control}"

    def records() -> dict[str, Any]:
        kept: dict[str, Any] = json.loads(place.admin_page("/stats")[1])["records"]
        return kept

    with place.start_control() as control, place.start_sidecar() as sidecar:
        control.ready(f"{control_plane}/readyz")
        place.ready(sidecar)
        call = urllib.request.Request(
            f"http://127.0.0.1:{place.inbound}/", headers={"traceparent": f"00-{TRACE}-{'1' * 16}-01"}
        )
        urllib.request.urlopen(call).close()
        until(lambda: records()["held"] == 1, "the record to be kept back")
        order = urllib.request.Request(f"{control_plane}/v1/flush", json.dumps({"traces": [TRACE]}).encode())
        urllib.request.urlopen(order).close()
        until(lambda: records()["held"] == 0, "the order to arrive")

        with urllib.request.urlopen(f"{control_plane}/v1/snapshots/front-1") as another:
            assert json.loads(another.readline())["epoch"] == 1
            assert json.loads(another.readline()) == {"flush": [TRACE]}, "whoever comes late hears of it, too"
            assert get(f"http://127.0.0.1:{place.outbound}/nowhere")[0] == 502
            lines = (line.strip() for line in another)
            told = next(json.loads(line) for line in lines if line)
            assert len(told["flush"]) == 1, "the failing call, flagged by the proxy itself"

        nonsense = urllib.request.Request(f"{control_plane}/v1/flush", b'{"traces": ["x"]}')
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(nonsense)


def test_requests_can_be_watched_by_a_few_at_a_time(place: Place) -> None:
    tap = f"http://127.0.0.1:{place.admin}/tap"
    with place.start_control() as control, place.start_sidecar() as sidecar:
        control.ready(f"http://127.0.0.1:{place.control}/readyz")
        place.ready(sidecar)
        assert place.admin_page("/tap?status=bad")[0] == 400
        with contextlib.ExitStack() as onlookers:
            watching = [onlookers.enter_context(urllib.request.urlopen(tap, timeout=30)) for _ in range(8)]
            status, said = place.admin_page("/tap")
            assert (status, said) == (429, "8 look on already; try again when one has left\n")
            place.call()
            shown = [json.loads(next(line for line in stream if line.strip())) for stream in watching]
            assert [one["url.path"] for one in shown] == ["/"] * 8
        until(lambda: _watched(place) == (200, 1), "room for another, and the request from memory")


def _watched(place: Place) -> tuple[int, int]:
    place.call()
    status, text = place.admin_page("/tap?since=1h&limit=1")
    return status, len(text.splitlines())


def test_the_control_plane_knows_which_epoch_is_served(place: Place) -> None:
    with place.start_control() as control, place.start_sidecar() as sidecar:
        control.ready(f"http://127.0.0.1:{place.control}/readyz")
        place.ready(sidecar)

        def served() -> Any:
            return json.loads(get(f"http://127.0.0.1:{place.control}/v1/status")[1])["proxies"][0]

        until(lambda: served()["epoch"] == 1, "the acknowledgement")
        assert {"name": "front-1", "connected": True, "state": "current", "refused": None}.items() <= served().items()


def test_it_serves_on_and_starts_again_while_the_control_plane_is_away(place: Place) -> None:
    with place.start_control() as control, place.start_sidecar() as sidecar:
        control.ready(f"http://127.0.0.1:{place.control}/readyz")
        place.ready(sidecar)
        control.kill()
        assert place.call() == (200, "hi")
        sidecar.terminate()
    with place.start_sidecar() as again:
        place.ready(again)
        assert place.call() == (200, "hi")
        with place.start_control():
            place.write(timeout="7s")
            until(lambda: place.epoch() == 2, "the newer epoch once the control plane is back")


def test_an_instance_nobody_named_waits_and_says_so(place: Place) -> None:
    with place.start_control() as control, place.start_sidecar("front-9") as sidecar:
        control.ready(f"http://127.0.0.1:{place.control}/readyz")
        until(lambda: "known proxies: front-1" in sidecar.output(), "the reason in the log")
        assert place.admin_page("/readyz")[0] == 503
        assert place.admin_page("/healthz")[0] == 200


@pytest.mark.parametrize("port", ["inbound", "outbound", "admin"])
def test_a_taken_port_is_one_clear_message(place: Place, port: str) -> None:
    taken = getattr(place, port)
    with socket.create_server(("127.0.0.1", taken)), place.start_control(), place.start_sidecar() as sidecar:
        assert sidecar.wait() == 2
        assert f"127.0.0.1:{taken}" in sidecar.output()
        assert "in use" in sidecar.output()
        assert "Traceback" not in sidecar.output()


def test_garbage_on_every_port_disturbs_nobody(place: Place) -> None:
    with place.start_control() as control, place.start_sidecar() as sidecar:
        control.ready(f"http://127.0.0.1:{place.control}/readyz")
        place.ready(sidecar)
        for port in (place.inbound, place.outbound, place.admin):
            with socket.create_connection(("127.0.0.1", port)) as raw:
                raw.settimeout(5)
                raw.sendall(bytes(range(256)) * 4)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):
                    pass
        assert place.call() == (200, "hi")
        assert place.admin_page("/healthz")[0] == 200


def test_of_several_control_planes_one_that_answers_is_enough(place: Place) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    arguments = ("--instance", "front-1", "--admin", f"127.0.0.1:{place.admin}")
    control = ("--control", f"{nobody},http://127.0.0.1:{place.control}")
    with place.start_control(), running("proxy", *arguments, *control, log=place.folder / "front-1.log") as sidecar:
        place.ready(sidecar)
        assert place.call() == (200, "hi")
