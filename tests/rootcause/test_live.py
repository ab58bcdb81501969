"""The engine as a process: from what a collector stored to a webhook and the API, and a clean stop."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from deploy.incidents import ack, note, silence, webhooks
from deploy.why import command as why
from rootcause.explain.finding import Finding
from rootcause.explain.trace_story import TraceStory
from rootcause.promises.alarms import Alarm
from rootcause.schemas import Why
from tests.rootcause.stored import send, store_url
from tests.world.collectors import collector
from tests.world.hooks import hook
from tests.world.mesh_sim import Fault, Shop
from tests.world.processes import Process, free_port, get, running, until


@contextmanager
def engine(folder: Path, *arguments: str, settings: str = "") -> Iterator[tuple[Process, str]]:
    """The engine on a free port, evaluating twice a second."""
    config = folder / "rootcause.yaml"
    config.write_text(f"every_s: 0.5\n{settings}")
    url = f"http://127.0.0.1:{free_port()}"
    options = ("--config", str(config), "--listen", url.removeprefix("http://"), *arguments)
    with running("rootcause", *options, log=folder / "rootcause.log") as process:
        yield process, url


def test_from_spans_to_the_pager(tmp_path: Path) -> None:
    with collector(tmp_path) as store, hook() as pager:
        now = time.time()
        fault = Fault("crash", "payments", 0, now + 10, instance="payments-1")
        # Times to come are in the past when they are asked for.
        send(store, Shop(51, rate=6, faults=(fault,)).run(now - 80, 150))
        with engine(tmp_path, "--store", store_url(store), "--webhook", pager.url) as (process, url):
            process.ready(f"{url}/readyz")
            until(lambda: len(pager.got) > 0, "the webhook to be told")
            why = json.loads(get(f"{url}/v1/why")[1])
            incidents = json.loads(get(f"{url}/v1/incidents")[1])["incidents"]
            found = Finding.model_validate(pager.got[0]["finding"])
            status, one = get(f"{url}/v1/incidents/{found.id}")
            missing = get(f"{url}/v1/incidents/nobody")
            of_payments = json.loads(get(f"{url}/v1/incidents?service=payments")[1])["incidents"]
            of_cart = json.loads(get(f"{url}/v1/incidents?service=cart")[1])["incidents"]
            story = json.loads(get(f"{url}/v1/traces/{found.exemplars[0].upper()}")[1])
            unknown, no_trace = get(f"{url}/v1/traces/{'0' * 32}"), get(f"{url}/v1/traces/today")
            metrics = get(f"{url}/metrics")[1]
            alerts = "SELECT Event, Delivered FROM otel.mesh_alerts"
            until(lambda: store.query(alerts) == [("opened", 1)], "the delivery to be recorded")
            assert process.terminate() == 0
    assert pager.got[0]["event"] == "opened"
    assert (found.culprit.service, found.culprit.instance) == ("payments", "payments-1")
    assert Why.model_validate(why).state == "degraded"
    assert why["finding"]["id"] == found.id
    assert [incident["id"] for incident in incidents] == [found.id]
    assert status == 200
    assert Finding.model_validate_json(one).id == found.id
    assert missing[0] == 404
    assert ([incident["id"] for incident in of_payments], of_cart) == ([found.id], [])
    assert TraceStory.model_validate(story).failed
    assert story["origin"]["service"] == "payments"
    assert (story["origin"]["instance"], story["origin"]["reason"]) == ("payments-1", "app_connect_refused")
    assert (unknown[0], no_trace[0]) == (404, 404)
    assert "whymesh_rootcause_incidents_open 1.0" in metrics
    assert 'whymesh_rootcause_notifications_total{result="delivered"} 1.0' in metrics


def test_what_users_feel_and_nobody_causes_is_an_alarm(tmp_path: Path) -> None:
    with collector(tmp_path) as store, hook() as pager:
        now = time.time()
        send(store, Shop(52, rate=6, faults=(Fault("host", "", 3, now + 10),)).run(now - 80, 150))
        rules = "symptoms: [{name: unexplained, for_s: 1, severity: error}]\n"
        with engine(tmp_path, "--store", store_url(store), "--webhook", pager.url, settings=rules) as (process, url):
            process.ready(f"{url}/readyz")
            until(lambda: len(pager.got) > 0, "the webhook to be told")
            told = Alarm.model_validate(pager.got[0]["alarm"])
            shown = CliRunner().invoke(why, [told.id, "--url", url]).output
            asked = store.query(told.sql)
            assert json.loads(get(f"{url}/v1/incidents")[1])["incidents"] == []
            assert 'whymesh_rootcause_alarms_total{event="opened"} 1.0' in get(f"{url}/metrics")[1]
            assert process.terminate() == 0
    assert (told.kind, told.service, told.severity) == ("symptom", "front", "error")
    assert told.title in shown
    assert "is slow, and no service or link explains it" in told.title
    assert "everything takes about" in told.why
    assert asked, "the SQL runs as printed"


def test_without_a_store_it_is_alive_but_not_ready(tmp_path: Path) -> None:
    store = f"clickhouse://127.0.0.1:{free_port()}/otel"
    with engine(tmp_path, "--store", store) as (process, url):
        process.ready(f"{url}/healthz")
        until(lambda: "does not answer" in process.output(), "the engine to say what is wrong")
        assert get(f"{url}/readyz")[0] == 503
        why = Why.model_validate_json(get(f"{url}/v1/why")[1])
        assert why.state == "not_enough_data"
        assert "does not answer" in why.summary
        assert get(f"{url}/v1/incidents")[0] == 503
        assert process.terminate() == 0
    assert "Traceback" not in process.output()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--webhook", "http://169.254.169.254/"), "link-local or metadata address"),
        (("--store", "mysql://127.0.0.1/"), "starts with clickhouse://"),
        (("--listen", "127.0.0.1:99999"), "listen 127.0.0.1:99999"),
        (("--config", "/nowhere.yaml"), "/nowhere.yaml"),
    ],
)
def test_a_mistake_ends_it_with_one_sentence(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    with running("rootcause", *arguments, log=tmp_path / "log") as process:
        assert process.wait() == 2
    assert sentence in process.output()
    assert "Traceback" not in process.output()
    assert len(process.output().splitlines()) == 1


def test_people_look_after_incidents_and_silence_services(tmp_path: Path) -> None:
    with collector(tmp_path) as store, hook() as pager:
        now = time.time()
        fault = Fault("crash", "payments", 0, now + 10, instance="payments-1")
        send(store, Shop(52, rate=6, faults=(fault,)).run(now - 80, 150))
        with engine(tmp_path, "--store", store_url(store), "--webhook", pager.url) as (process, url):
            process.ready(f"{url}/healthz")

            def whymesh(command: click.Command, *arguments: str) -> str:
                ran = CliRunner().invoke(command, [*arguments, "--by", "ann", "--url", url])
                assert ran.exit_code == 0, ran.output
                return ran.output

            until(lambda: "silenced until" in whymesh(silence, "payments", "--for", "1h", "--because", "a drill"), "it")
            until(lambda: listed(url) != [], "an incident")
            (found,) = listed(url)
            assert (found.culprit.service, found.held_back, pager.got) == ("payments", True, [])
            whymesh(silence, "payments", "--end")
            until(lambda: pager.events == ["opened"], "the webhook to be told after all")
            assert f"ann looks after {found.id}" in whymesh(ack, found.id, "--note", "on it")
            whymesh(note, found.id, "the pod was evicted")
            until(lambda: pager.events == ["opened", "acknowledged"], "both messages")
            assert f"told {pager.url}" in whymesh(webhooks, "--test")
            until(lambda: len(pager.got) == 4, "the test messages")
            # Later evaluations keep what people said.
            until(lambda: listed(url)[0].updated_at > found.updated_at and not listed(url)[0].held_back, "an update")
            (kept,) = listed(url)
            assert f"{pager.url}: of all services" in whymesh(webhooks)
            pager.open = False
            not_told = CliRunner().invoke(webhooks, ["--test", "--url", url])
            assert (not_told.exit_code, pager.url in not_told.output) == (1, True)
            assert "answered 503: the receiver is in trouble" in not_told.output
            cross_site = post_text(f"{url}/v1/webhooks/test", '{"by": "a page"}')
            empty = CliRunner().invoke(silence, ["--url", url]).output
            assert process.terminate() == 0
        with engine(tmp_path, "--store", store_url(store)) as (process, url):
            process.ready(f"{url}/readyz")
            assert Finding.model_validate_json(get(f"{url}/v1/incidents/{found.id}")[1]).notes == kept.notes
    assert kept.acknowledged is not None
    assert (kept.acknowledged.by, kept.acknowledged.text) == ("ann", "on it")
    assert [(said.by, said.text) for said in kept.notes] == [("ann", "the pod was evicted")]
    assert pager.events == ["opened", "acknowledged", "opened", "resolved"]
    assert pager.got[2]["finding"]["title"] == "Test message: nothing is wrong"
    assert (cross_site, empty) == (415, "no silences\n")


def test_a_rule_in_sql_reaches_the_pager_and_why(tmp_path: Path) -> None:
    with collector(tmp_path) as store, hook() as pager:
        send(store, Shop(53, rate=6).run(time.time() - 20, 10))
        (tmp_path / "rootcause.yaml").write_text(
            "every_s: 0.5\nobjectives: []\n"
            "rules:\n- name: busy\n  every_s: 5\n"
            "  sql: SELECT sum(Calls) AS value FROM otel.mesh_routes HAVING value > 0\n"
        )
        url = f"http://127.0.0.1:{free_port()}"
        options = ("--config", str(tmp_path / "rootcause.yaml"), "--listen", url.removeprefix("http://"))
        options += ("--store", store_url(store), "--webhook", pager.url)
        with running("rootcause", *options, log=tmp_path / "rootcause.log") as process:
            process.ready(f"{url}/readyz")
            until(lambda: len(pager.got) > 0, "the webhook to be told")
            alarms = json.loads(get(f"{url}/v1/why")[1])["alarms"]
            told = CliRunner().invoke(why, ["--url", url]).output
            metrics = get(f"{url}/metrics")[1]
            assert process.terminate() == 0
    (message,) = pager.got
    assert (message["event"], message["alarm"]["rule"], message["alarm"]["title"]) == ("opened", "busy", "busy")
    assert message["alarm"]["value"] > 0
    assert [alarm["id"] for alarm in alarms] == [message["alarm"]["id"]]
    assert "alarm since" in told
    assert "whymesh_rootcause_alarms_open 1.0" in metrics


def listed(url: str) -> list[Finding]:
    """Incidents, the newest first."""
    return [Finding.model_validate(found) for found in json.loads(get(f"{url}/v1/incidents")[1])["incidents"]]


def post_text(url: str, body: str) -> int:
    """The status of a POST as a form of another page could send it."""
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "text/plain"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
