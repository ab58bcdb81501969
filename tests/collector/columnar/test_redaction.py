"""What rules take away is in no column, whatever it was hidden in; what they do not name is as it was."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector import _columnar as columnar
from tests.world import otlp_requests as world
from tests.world.clickhouse import ClickHouse, clickhouse

CARD = "4111 1111 1111 1111"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with clickhouse(tmp_path_factory.mktemp("clickhouse")) as server:
        for table in ("otel_traces", "otel_logs", "otel_metrics_gauge"):
            server.execute(f"CREATE TABLE otel.arrived_{table} AS otel.{table} ENGINE = Memory")
        yield server


def rules(*redact: dict[str, Any], **limits: Any) -> columnar.Rules:
    named = [{"name": f"rule {number}", **rule} for number, rule in enumerate(redact)]
    return columnar.Rules(json.dumps({"redact": named, **limits}))


def stored(server: ClickHouse, encoded: columnar.Encoded, *columns: str) -> list[Any]:
    (block,) = encoded.blocks
    table = f"otel.arrived_{block.table}"
    server.execute(f"TRUNCATE TABLE {table}")
    server.insert(table, block.data)
    (row,) = server.query(f"SELECT {', '.join(columns)} FROM {table}")
    return row


def nested(**entries: AnyValue) -> AnyValue:
    return AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key=key, value=one) for key, one in entries.items()]))


def text(value: str) -> AnyValue:
    return AnyValue(string_value=value)


MASK_CARDS = {"action": "mask", "values": ["card"]}


def test_by_key_and_by_value(server: ClickHouse) -> None:
    attributes = {
        "http.request.header.Authorization": "Bearer abc",
        "user.email": "ann@example.org",
        "note": f"card {CARD}; write to bob@example.org",
        "url.path": "/pay",
    }
    span = world.span(attributes=[world.attribute(key, value) for key, value in attributes.items()])
    applied = rules(
        {"action": "drop", "keys": ["http.request.header.*"]},
        {"action": "hash", "keys": ["*.email"]},
        MASK_CARDS,
        {"action": "mask", "values": ["email"], "keys": ["note"]},
        hash_key="salt",
    )
    encoded = columnar.encode_traces(world.request(span).SerializeToString(), rules=applied)
    digest = hmac.new(b"salt", b"ann@example.org", hashlib.sha256).hexdigest()[:16]
    assert stored(server, encoded, "SpanAttributes") == [
        {"note": "card ****; write to ****", "url.path": "/pay", "user.email": digest}
    ]
    assert encoded.redacted == {"rule 0": 1, "rule 1": 1, "rule 2": 1, "rule 3": 1}


def test_inside_arrays_and_lists(server: ClickHouse) -> None:
    inner = nested(password=text("geheim"), token=text("t"), cards=AnyValue(array_value=ArrayValue(values=[
        text(CARD), AnyValue(int_value=4111111111111111), AnyValue(int_value=7), AnyValue(bool_value=True)
    ])))  # fmt: skip
    span = world.span(attributes=[KeyValue(key="user", value=nested(login=inner, name=text("Ann")))])
    applied = rules({"action": "drop", "keys": ["password"]}, {"action": "mask", "keys": ["tok*"]}, MASK_CARDS)
    encoded = columnar.encode_traces(world.request(span).SerializeToString(), rules=applied)
    (found,) = stored(server, encoded, "SpanAttributes")
    assert json.loads(found["user"]) == {
        "login": {"cards": ["****", "****", 7, True], "token": "****"},
        "name": "Ann",
    }
    assert encoded.redacted == {"rule 0": 1, "rule 1": 1, "rule 2": 2}


def test_a_value_that_holds_what_is_dropped_goes_whole(server: ClickHouse) -> None:
    hidden = nested(deep=AnyValue(array_value=ArrayValue(values=[text(f"x{' '}{CARD}")])), other=text("y"))
    span = world.span(attributes=[KeyValue(key="a", value=hidden), world.attribute("b", "stays")])
    encoded = columnar.encode_traces(
        world.request(span).SerializeToString(), rules=rules({"action": "drop", "values": ["card"]})
    )
    assert stored(server, encoded, "SpanAttributes") == [{"b": "stays"}]


def test_every_place_of_a_span(server: ClickHouse) -> None:
    secret = [world.attribute("k", CARD)]
    span = world.span(f"pay {CARD}", attributes=secret, status=Status(message=f"no {CARD}"))
    span.events.append(Span.Event(name=f"e {CARD}", attributes=secret))
    span.links.append(Span.Link(trace_id=b"1" * 16, span_id=b"1" * 8, attributes=secret))
    request = world.request(span)
    request.resource_spans[0].resource.attributes.append(secret[0])
    encoded = columnar.encode_traces(request.SerializeToString(), rules=rules(MASK_CARDS))
    assert encoded.redacted == {"rule 0": 7}
    assert stored(server, encoded, "SpanName", "StatusMessage", "Events.Name", "Events.Attributes", "Links.Attributes",
                  "SpanAttributes", "ResourceAttributes['k']", "ServiceName") == [
        "pay ****", "no ****", ["e ****"], [{"k": "****"}], [{"k": "****"}], {"k": "****"}, "****", "shop"
    ]  # fmt: skip


def test_log_bodies_and_points(server: ClickHouse) -> None:
    applied = rules({"action": "mask", "values": ["bearer"]}, {"action": "drop", "keys": ["secret"]}, value_bytes=8)
    body = nested(secret=text("1"), says=text(f"Bearer abc {'long ' * 9}"))
    record = LogRecord(time_unix_nano=1, body=body, attributes=[world.attribute("a", "ünterschied")])
    logs = ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[record])])])
    encoded = columnar.encode_logs(logs.SerializeToString(), received_ns=1, rules=applied)
    (found, attributes) = stored(server, encoded, "Body", "LogAttributes")
    assert json.loads(found) == {"says": f"**** {'long ' * 9}"}, "limits are for attributes"
    assert attributes == {"a": "ünterschied"[:7]}, "cut between characters"
    assert encoded.redacted == {"rule 0": 1, "rule 1": 1, "limits.value_bytes": 1}

    point = NumberDataPoint(time_unix_nano=1, attributes=[world.attribute("secret", "1")])
    point.exemplars.append(Exemplar(time_unix_nano=1, filtered_attributes=[world.attribute("secret", "1")]))
    metric = Metric(name="m", gauge=Gauge(data_points=[point]))
    metrics = ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=[metric])])]
    )
    encoded = columnar.encode_metrics(metrics.SerializeToString(), rules=applied)
    assert stored(server, encoded, "Attributes", "Exemplars.FilteredAttributes") == [{}, [{}]]
    assert encoded.redacted == {"rule 1": 2}


def test_attributes_beyond_the_number_are_left_out_and_counted(server: ClickHouse) -> None:
    many = [world.attribute(f"key.{number}", "v") for number in range(5)]
    span = world.span(attributes=many)
    span.events.append(Span.Event(name="e", attributes=many[:3]))
    encoded = columnar.encode_traces(world.request(span).SerializeToString(), rules=rules(count=3))
    assert stored(server, encoded, "SpanAttributes", "Events.Attributes") == [
        {"key.0": "v", "key.1": "v", "key.2": "v", "otel.dropped_attributes_count": "2"},
        [{"key.0": "v", "key.1": "v", "key.2": "v"}],
    ]
    assert encoded.redacted == {"limits.count": 2}


def test_a_secret_is_found_before_it_is_cut(server: ClickHouse) -> None:
    span = world.span(attributes=[world.attribute("k", f"{CARD} and more")])
    encoded = columnar.encode_traces(world.request(span).SerializeToString(), rules=rules(MASK_CARDS, value_bytes=10))
    assert stored(server, encoded, "SpanAttributes") == [{"k": "**** and m"}]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(request=world.requests)
def test_rules_that_find_nothing_change_nothing(request: ExportTraceServiceRequest) -> None:
    applied = rules({"action": "mask", "regex": ["there is no such text in it"]}, count=1_000, value_bytes=1 << 20)
    body = request.SerializeToString()
    plain, looked = columnar.encode_traces(body), columnar.encode_traces(body, rules=applied)
    assert [block.data for block in plain.blocks] == [block.data for block in looked.blocks]
    assert looked.redacted == {}


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"action": "mask"}, "give keys, values or regex"),
        ({"action": "mask", "values": ["iban"]}, "no pattern"),
        ({"action": "mask", "regex": ["("]}, "unclosed group"),
        ({"action": "mask", "regex": [".*"]}, "matches the empty text"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_by_name(rule: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        rules(rule)
    assert "rule 0" in str(caught.value)
