"""Complaints in a real collector's store: troubled lines, exceptions of spans, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.store.client import Reader
from rootcause.load.from_logs import Complaints
from rootcause.load.window import OF_TIME, REQUEST, Interval, Step
from tests.rootcause.stored import post, store_url
from tests.world.collectors import Collector, collector

START = 1_700_000_000
CHATTY, SERVICES = START + 1000, 60
NORMAL, QUESTION = Interval(START, START + 200), Interval(START + 220, START + 280)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    folder: Path = tmp_path_factory.mktemp("collector")
    with collector(folder) as running:
        post(running.url("http", "/v1/logs"), logs().SerializeToString())
        post(running.url("http", "/v1/logs"), chatter().SerializeToString())
        post(running.url("http", "/v1/traces"), exceptions().SerializeToString())
        running.settle()
        yield running


def logs() -> ExportLogsServiceRequest:
    """Cart loses a connection each ten seconds since START + 220; it says that it is well all the time."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "cart"
    scope = resource.scope_logs.add()
    for second in range(0, 280, 10):
        at = (START + second) * 10**9
        scope.log_records.add(time_unix_nano=at, severity_number=9).body.string_value = f"added item {second}"
        if second >= 220:
            body = f"redis 10.0.0.{second}: connection reset by peer"
            scope.log_records.add(time_unix_nano=at, severity_number=17, severity_text="ERROR").body.string_value = body
    return request


def chatter() -> ExportLogsServiceRequest:
    """Many services warn of three things all the time, the more often the one than the other; one of them of a session
    by a name that nobody had before, and once a minute of something else."""
    request = ExportLogsServiceRequest()
    for number in range(SERVICES):
        resource = request.resource_logs.add()
        resource.resource.attributes.add(key="service.name").value.string_value = f"worker-{number}"
        scope = resource.scope_logs.add()
        for second in range(0, 280, 10):
            said = ["retrying a job", "retrying a job", "retrying a job", "lost a worker", "lost a worker", "late"]
            if number == 0:
                said += [
                    f"session {chr(97 + id % 26)}{second}{chr(97 + id // 26)} ended"
                    for id in range(second, second + 10)
                ]
                said += ["zombie reaped"] if second % 60 == 0 else []
            for what in said:
                line = scope.log_records.add(time_unix_nano=(CHATTY + second) * 10**9, severity_number=13)
                line.severity_text, line.body.string_value = "WARN", what
    return request


def exceptions() -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "mail"
    at = (START + 235) * 10**9
    span = resource.scope_spans.add().spans.add(name="send", trace_id=b"t" * 16, span_id=b"s" * 8)
    span.start_time_unix_nano, span.end_time_unix_nano = at, at + 10**6
    event = span.events.add(name="exception", time_unix_nano=at)
    event.attributes.add(key="exception.type").value.string_value = "SmtpTimeout"
    return request


def test_what_services_complain_of_is_counted_by_bucket(running: Collector) -> None:
    with Reader(store_url(running)) as reader:
        complaints = Complaints(reader)
        usual, now = complaints.steps([NORMAL], QUESTION)
        again = complaints.steps([NORMAL], QUESTION)
    reset, thrown = 'log "ERROR redis connection reset by peer"', 'log "ERROR exception SmtpTimeout"'
    assert set(usual) == {
        Step("cart", OF_TIME, REQUEST, 20, ((1, 20),)),
        Step("mail", OF_TIME, REQUEST, 20, ((1, 20),)),
    }
    assert set(now) == {
        Step("cart", OF_TIME, REQUEST, 6, ((1, 6),)),
        Step("cart", OF_TIME, reset, 6, ((1, 6),)),
        Step("mail", OF_TIME, REQUEST, 6, ((1, 6),)),
        Step("mail", OF_TIME, thrown, 6, ((1, 1),)),
    }
    assert again == (usual, now)


def test_time_in_question_is_not_normal(running: Collector) -> None:
    with Reader(store_url(running)) as reader:
        usual, _ = Complaints(reader).steps([Interval(START, START + 270)], QUESTION)
    assert {step.requests for step in usual} == {22}


def test_what_is_said_all_the_time_is_not_new_however_many_say_it(running: Collector) -> None:
    normal, question = Interval(CHATTY, CHATTY + 200), Interval(CHATTY + 220, CHATTY + 280)
    with Reader(store_url(running)) as reader:
        usual, now = Complaints(reader).steps([normal], question)
    told = {(step.service, step.name) for step in now}
    assert told == {(step.service, step.name) for step in usual}
    assert {name for service, name in told if service == "worker-0"} >= {
        'log "WARN late"',
        'log "WARN session ended"',
        'log "WARN zombie reaped"',
    }


def test_who_begins_to_complain_is_held_against_all_of_its_own_normal_time(running: Collector) -> None:
    normal, question = Interval(CHATTY, CHATTY + 200), Interval(CHATTY + 220, CHATTY + 280)
    with Reader(store_url(running)) as reader:
        complaints = Complaints(reader)
        assert complaints.steps([normal], Interval(CHATTY + 400, CHATTY + 460)) == ((), ())
        assert complaints.steps([normal], question) == Complaints(reader).steps([normal], question)
