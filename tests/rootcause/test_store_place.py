"""A machine that slows down whatever runs on it, from a real collector's store to one incident."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.store.client import Reader
from rootcause.explain.finding import Finding
from rootcause.incidents.casebook import Casebook
from rootcause.incidents.journal import Journal
from rootcause.load.spans import Kind
from rootcause.watch import Answer, Watch
from tests.rootcause.stored import post, runs, send, store_url
from tests.world.collectors import collector
from tests.world.mesh_sim import Proxied, Shop
from tests.world.telemetry import SERVICES
from tests.world.told_apart import burdened, counted, on_machines

START = 1_700_000_000
FAULT_S, HEALED_S, LENGTH_S = 90, 150, 200
MACHINES = ("n1", "n2", "n3")
PLACES = dict.fromkeys(SERVICES, MACHINES)


def traffic(*slow: str) -> list[Proxied]:
    """Everything on the slow machines takes four times as long for a while."""
    spans = on_machines(Shop(29, rate=8).run(START, LENGTH_S), PLACES, 7)

    def burden(one: Proxied) -> bool:
        late = FAULT_S <= one.span.start_ns / 1e9 - START < HEALED_S
        return late and one.span.kind is Kind.SERVER and one.resource["host.name"] in slow

    return burdened(spans, burden, 4.0)


def watched(folder: Path, *slow: str) -> tuple[list[tuple[str, Finding]], list[Answer], list[int]]:
    """What happened to incidents, what was answered, and rows of each statement's SQL at the end."""
    with collector(folder) as running, Reader(store_url(running)) as reader:
        send(running, traffic(*slow))
        for at in range(0, LENGTH_S, 10):
            post(running.url("http", "/v1/metrics"), counted(PLACES, START + at).SerializeToString())
        running.settle()
        watch = Watch(reader, Casebook(Journal(reader)))
        seen = [watch.evaluate(float(START + after)) for after in range(FAULT_S - 15, LENGTH_S, 5)]
        happened = [told for _, news in seen for told in news]
        shown = runs(reader, [one.sql for _, finding in happened for one in finding.evidence])
    return happened, [answer for answer, _ in seen], shown


def test_one_machine_is_one_incident(tmp_path: Path) -> None:
    happened, _, shown = watched(tmp_path, "n2")
    assert [event for event, _ in happened] == ["opened", "resolved"]
    opened, found = (finding for _, finding in happened)
    assert opened.opened_at.timestamp() - START - FAULT_S <= 30
    assert (found.culprit.node, found.culprit.instance) == ("n2", f"{found.culprit.service}-n2")
    assert "on node n2 is slow" in found.title
    (machine,) = [one for one in found.evidence if one.statement.startswith("node n2: ")]
    assert "are slow there, and well in other nodes at the same time" in machine.statement
    slow = machine.statement.removeprefix("node n2: ").partition(" are ")[0].split(", ")
    assert len(slow) >= 4
    assert found.contribution.share == pytest.approx(1.0, abs=0.15)
    assert any(one.statement.startswith("without what node n2 adds") for one in found.evidence)
    assert all(shown)


def test_all_machines_are_no_machine(tmp_path: Path) -> None:
    happened, answers, _ = watched(tmp_path, *MACHINES)
    assert happened == []
    assert any("everything takes about" in answer.summary for answer in answers)
