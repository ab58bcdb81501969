"""Rules that fire and are calm again while the engine runs, stops, is killed or is silenced: what the pager hears."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from collector.store.client import Reader
from deploy.ask_rootcause import Engine
from deploy.incidents import ack, alarms, note
from deploy.why import command as why
from rootcause.promises.alarm_rows import AlarmRows
from rootcause.promises.alarms import Alarm
from tests.rootcause.stored import post, store_url
from tests.world.collectors import Collector, collector
from tests.world.hooks import Hook, hook
from tests.world.processes import Process, free_port, get, running, until


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with collector(tmp_path_factory.mktemp("collector")) as running:
        yield running


@pytest.fixture
def pager() -> Iterator[Hook]:
    with hook() as receiver:
        yield receiver


class Disk:
    """A figure that a service reports, the rule that watches it, and the engine that asks the rule."""

    def __init__(self, name: str, store: Collector, pager: Hook, folder: Path) -> None:
        self.service = f"{name}-db"
        self._store = store
        self._folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self._rule = {
            "name": f"{name} disk",
            "every_s": 1,
            "over_after_s": 1,
            "sql": (
                "SELECT ServiceName AS service, argMax(Value, TimeUnix) AS value FROM otel.otel_metrics_gauge"
                f" WHERE ServiceName = '{self.service}' GROUP BY 1 HAVING value > 0.9"
            ),
        }
        self._settings: dict[str, Any] = {
            "every_s": 0.5,
            "state": str(folder / "state"),
            "store": store_url(store),
            "listen": self.url.removeprefix("http://"),
            "objectives": [],
            "webhooks": {"urls": [pager.url]},
        }

    def fills(self, share: float) -> None:
        """The service reports that so much is in use; stored when this returns."""
        point = NumberDataPoint(time_unix_nano=time.time_ns(), as_double=share)
        metric = Metric(name="system.filesystem.utilization", gauge=Gauge(data_points=[point]))
        named = KeyValue(key="service.name", value=AnyValue(string_value=self.service))
        group = ResourceMetrics(resource=Resource(attributes=[named]), scope_metrics=[ScopeMetrics(metrics=[metric])])
        request = ExportMetricsServiceRequest(resource_metrics=[group])
        post(self._store.url("http", "/v1/metrics"), request.SerializeToString())
        self._store.settle()

    def tell_also(self, webhook: dict[str, str]) -> None:
        """From the next start on."""
        self._settings["webhooks"]["urls"].append(webhook)

    @contextmanager
    def engine(self, severity: str = "error") -> Iterator[Process]:
        """The engine, once it has looked at the rule."""
        settings = {**self._settings, "rules": [{**self._rule, "severity": severity}]}
        (self._folder / "rootcause.yaml").write_text(yaml.safe_dump(settings))
        options = ("--config", str(self._folder / "rootcause.yaml"))
        with running("rootcause", *options, log=self._folder / "rootcause.log") as process:
            process.ready(f"{self.url}/readyz")
            yield process

    def order(self, path: str, method: str, body: dict[str, object]) -> None:
        Engine("test", self.url, None).ask(path, method, {"by": "ann", **body})

    def alarms(self) -> list[Alarm]:
        """Those that are open, as the engine tells them."""
        return [Alarm.model_validate(alarm) for alarm in json.loads(get(f"{self.url}/v1/why")[1])["alarms"]]

    def rounds(self) -> None:
        """Returns when the open alarm was looked at again."""
        (before,) = self.alarms()
        until(lambda: [a.updated_at for a in self.alarms()] > [before.updated_at], "the rule to be asked again")


@pytest.fixture
def disk(store: Collector, pager: Hook, tmp_path: Path) -> Disk:
    return Disk(secrets.token_hex(4), store, pager, tmp_path)


def test_a_rule_is_told_once_and_its_end_once_though_the_engine_was_killed_between(
    disk: Disk, pager: Hook, store: Collector
) -> None:
    disk.fills(0.95)
    with disk.engine() as process:
        until(lambda: pager.events == ["opened"], "the pager to be told")
        disk.rounds()
        process.kill()
    with disk.engine() as process:
        until(lambda: len(disk.alarms()) == 1, "the alarm to be taken up")
        disk.rounds()
        assert pager.events == ["opened"], "it is the same alarm"
        disk.fills(0.2)
        until(lambda: pager.events == ["opened", "resolved"], "the end to be told")
        assert disk.alarms() == []
        first, last = (Alarm.model_validate(message["alarm"]) for message in pager.got)
        told = f"SELECT Event, Delivered FROM otel.mesh_alerts WHERE IncidentId = '{first.id}' ORDER BY Time"
        until(lambda: store.query(told) == [("opened", 1), ("resolved", 1)], "both deliveries to be recorded")
        assert process.terminate() == 0
    assert (first.id, first.service, first.severity, first.value) == (last.id, disk.service, "error", 0.95)
    assert (last.state, last.resolved_at is not None) == ("resolved", True)


def test_what_ended_between_two_runs_is_told_and_what_a_pager_did_not_take_waits(
    disk: Disk, pager: Hook, store: Collector
) -> None:
    disk.fills(0.95)
    pager.open = False
    with disk.engine() as process:
        until(lambda: pager.refused > 0, "a message that the pager does not take")
        (alarm,) = disk.alarms()
        process.kill()
    # As if it had been killed when the end was written and before anybody was told.
    with Reader(store_url(store)) as reader:
        over = {"state": "resolved", "resolved_at": alarm.updated_at, "value": 0.2}
        AlarmRows(reader).write(alarm.model_copy(update=over))
    disk.fills(0.2)
    pager.open = True
    with disk.engine() as process:
        until(lambda: pager.events == ["opened", "resolved"], "both messages, in order")
        assert process.terminate() == 0
    assert [message["alarm"]["id"] for message in pager.got] == [alarm.id, alarm.id]


def test_a_silenced_alarm_is_told_when_the_silence_ends_and_one_that_ended_in_silence_never(
    disk: Disk, pager: Hook
) -> None:
    hush: dict[str, object] = {"for_s": 600, "because": "a drill"}
    with disk.engine() as process:
        disk.order(f"/v1/silences/{disk.service}", "PUT", hush)
        disk.fills(0.95)
        until(lambda: len(disk.alarms()) == 1, "the alarm")
        disk.fills(0.2)
        until(lambda: disk.alarms() == [], "its end")
        disk.fills(0.95)
        until(lambda: len(disk.alarms()) == 1, "another alarm")
        disk.rounds()
        (alarm,) = disk.alarms()
        process.kill()
    with disk.engine() as process:
        until(lambda: [one.id for one in disk.alarms()] == [alarm.id], "the alarm to be taken up")
        disk.rounds()
        assert pager.got == [], "the silence is from before the restart"
        disk.order(f"/v1/silences/{disk.service}", "DELETE", {})
        until(lambda: pager.events == ["opened"], "the pager to be told after all")
        assert pager.got[0]["alarm"]["id"] == alarm.id
        disk.fills(0.2)
        until(lambda: pager.events == ["opened", "resolved"], "its end to be told, too")
        assert process.terminate() == 0


def test_who_takes_an_alarm_is_told_and_kept_and_so_is_that_it_turns_critical(disk: Disk, pager: Hook) -> None:
    def typed(command: click.Command, *words: str) -> str:
        ran = CliRunner().invoke(command, [*words, "--url", disk.url])
        return ran.output.strip()

    with hook() as night:
        disk.tell_also({"url": night.url, "severity": "critical"})
        disk.fills(0.95)
        with disk.engine() as process:
            until(lambda: pager.events == ["opened"], "the pager to be told")
            (alarm,) = disk.alarms()
            taken = typed(ack, alarm.id, "--by", "ann", "--note", "emptying it")
            assert taken == f"ann looks after {alarm.id}: {alarm.title}"
            until(lambda: pager.events == ["opened", "acknowledged"], "the pager to hear of ann")
            assert "has 1 note" in typed(note, alarm.id, "old logs", "--by", "bob")
            assert "is no incident and no alarm" in typed(ack, "0" * 12)
            process.kill()
        assert night.got == [], "it is an error"
        with disk.engine("critical") as process:
            until(lambda: night.events == ["opened"], "who sleeps through errors to be told")
            until(lambda: pager.events == ["opened", "acknowledged", "worsened"], "the pager to be told")
            told = typed(why, alarm.id)
            assert "owner       ann since" in told
            assert "bob: old logs" in told
            assert "severity    critical" in told
            assert [alarm.id, "open"] in [line.split()[:2] for line in typed(alarms).splitlines()]
            disk.fills(0.2)
            until(lambda: night.events == ["opened", "resolved"], "who sleeps through errors to be told of the end")
            until(lambda: pager.events[-1] == "resolved", "the pager to be told of the end")
            assert "resolved" in typed(why, alarm.id)
            assert "has 2 notes" in typed(note, alarm.id, "rotation was off", "--by", "bob"), "also when it is over"
            assert process.terminate() == 0
    assert {message["alarm"]["id"] for message in (*pager.got, *night.got)} == {alarm.id}
    assert pager.got[1]["alarm"]["acknowledged"]["text"] == "emptying it"
