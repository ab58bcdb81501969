"""An outbox whose disk is full: people are told all the same, and the log says what to do."""

from __future__ import annotations

import time
from pathlib import Path

from click.testing import CliRunner

from deploy.incidents import ack
from tests.rootcause.stored import send, store_url
from tests.world.collectors import collector
from tests.world.disks import disk
from tests.world.hooks import hook
from tests.world.mesh_sim import Fault, Shop
from tests.world.processes import free_port, until


def test_a_full_disk_keeps_nobody_from_being_told(tmp_path: Path) -> None:
    config = tmp_path / "rootcause.yaml"
    config.write_text("every_s: 0.5\n")
    url = f"http://127.0.0.1:{free_port()}"
    with collector(tmp_path) as store, hook() as pager, disk(tmp_path / "disk", megabytes=1) as small:
        state = small.path / "state"
        arguments = ("--config", str(config), "--store", store_url(store), "--webhook", pager.url)
        options = (*arguments, "--listen", url.removeprefix("http://"), "--state", str(state))
        with small.running("rootcause", *options, log=tmp_path / "rootcause.log") as process:
            process.ready(f"{url}/readyz")
            small.fill()
            now = time.time()
            fault = Fault("crash", "payments", 0, now + 5, instance="payments-1")
            send(store, Shop(51, rate=6, faults=(fault,)).run(now - 80, 110))
            until(lambda: pager.events[:1] == ["opened"], "the webhook to be told")
            said = CliRunner().invoke(ack, [pager.got[0]["finding"]["id"], "--by", "ann", "--url", url])
            assert said.exit_code == 0, said.output
            until(lambda: pager.events == ["opened", "acknowledged"], "what comes later to be told")
            assert process.terminate() == 0
        assert "outbox.sqlite: database or disk is full" in process.output()
        assert "make room there" in process.output()
        assert "Traceback" not in process.output()
        with small.running(
            "rootcause", *options[:-1], str(small.path / "other"), log=tmp_path / "again.log"
        ) as process:
            assert process.wait() == 2
        assert "/other/outbox.sqlite: " in process.output()
        assert "make room there, or name another folder" in process.output()
