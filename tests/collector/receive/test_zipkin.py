"""Zipkin's JSON becomes the spans its senders meant, and what it is not is told."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.errors import LogFull, Malformed
from collector.receive.zipkin import translate
from tests.collector.receiving import LIMIT, Receiving, receiving

SPAN: dict[str, Any] = {
    "traceId": "463ac35c9f6413ad",
    "id": "a2fb4a1d1a96d312",
    "parentId": "48485a3953bb6124",
    "name": "get /",
    "kind": "CLIENT",
    "timestamp": 1_700_000_000_000_001,
    "duration": 1431,
    "localEndpoint": {"serviceName": "front", "ipv4": "10.0.0.1", "port": 3306},
    "remoteEndpoint": {"serviceName": "cart", "ipv6": "::1"},
    "annotations": [{"timestamp": 1_700_000_000_000_005, "value": "sent"}],
    "tags": {"http.path": "/", "error": "timed out"},
}


def translated(*spans: Any) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(translate(json.dumps(spans).encode()))


def one(**fields: Any) -> Span:
    return translated(SPAN | fields).resource_spans[0].scope_spans[0].spans[0]


def test_a_span() -> None:
    request = translated(SPAN)
    (resource,) = request.resource_spans
    assert [(a.key, a.value.string_value) for a in resource.resource.attributes] == [("service.name", "front")]
    (span,) = resource.scope_spans[0].spans
    assert (span.trace_id.hex(), span.span_id.hex()) == ("0" * 16 + "463ac35c9f6413ad", "a2fb4a1d1a96d312")
    assert (span.parent_span_id.hex(), span.name, span.kind) == ("48485a3953bb6124", "get /", Span.SPAN_KIND_CLIENT)
    assert span.start_time_unix_nano == 1_700_000_000_000_001_000
    assert span.end_time_unix_nano == 1_700_000_000_001_432_000
    assert {a.key: a.value.string_value for a in span.attributes} == {
        "network.local.address": "10.0.0.1",
        "network.local.port": "3306",
        "network.peer.address": "::1",
        "peer.service": "cart",
        "http.path": "/",
        "error": "timed out",
    }
    assert [(event.name, event.time_unix_nano) for event in span.events] == [("sent", 1_700_000_000_000_005_000)]
    assert span.status == Status(code=Status.STATUS_CODE_ERROR, message="timed out")


def test_what_may_be_left_out() -> None:
    request = translated({"traceId": "a" * 32, "id": "b" * 16}, SPAN)
    assert [len(resource.resource.attributes) for resource in request.resource_spans] == [0, 1]
    bare = request.resource_spans[0].scope_spans[0].spans[0]
    assert (bare.kind, bare.start_time_unix_nano, bare.parent_span_id) == (Span.SPAN_KIND_INTERNAL, 0, b"")
    assert translate(b"[]") == b""


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ({"error": "true"}, Status(code=Status.STATUS_CODE_ERROR)),
        ({"error": "false"}, Status()),
        ({"otel.status_code": "OK"}, Status(code=Status.STATUS_CODE_OK)),
        (
            {"otel.status_code": "ERROR", "otel.status_description": "no"},
            Status(code=Status.STATUS_CODE_ERROR, message="no"),
        ),
    ],
)
def test_status(tags: dict[str, str], status: Status) -> None:
    assert one(tags=tags).status == status


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        (b"{", "the body is not JSON"),
        (b"{}", "expected a JSON array"),
        (b"[1]", r"\[0\]: expected an object, found int"),
        (json.dumps([SPAN, SPAN | {"kind": "QUEUE"}]).encode(), r"\[1\]: kind: expected one of CLIENT"),
        (json.dumps([SPAN | {"traceId": "xyz"}]).encode(), r"\[0\]: traceId: expected 32 hexadecimal digits"),
        (json.dumps([SPAN | {"duration": -1}]).encode(), r"\[0\]: duration: expected microseconds"),
        (json.dumps([SPAN | {"tags": {"a": 1}}]).encode(), r"\[0\]: tags.a: expected a string, found int"),
        (b"[" * 100_000, "the body is not JSON"),
    ],
)
def test_mistakes_name_the_span(body: bytes, mistake: str) -> None:
    with pytest.raises(Malformed, match=mistake):
        translate(body)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(SPAN)), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(SPAN)), _json, max_size=5))
def test_any_json_is_spans_or_a_mistake(fields: dict[str, Any]) -> None:
    try:
        translate(json.dumps([SPAN | fields]).encode())
    except Malformed as error:
        assert str(error).startswith("[0]: ")  # noqa: PT017


@pytest.fixture
async def parts() -> AsyncIterator[Receiving]:
    async with receiving() as parts:
        yield parts


async def post(parts: Receiving, body: bytes, **headers: str) -> tuple[int, str, str]:
    headers = {"Content-Type": "application/json"} | {key.replace("_", "-"): value for key, value in headers.items()}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{parts.zipkin}/api/v2/spans", data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.text(), answer.headers.get("Retry-After", "")


async def test_the_door(parts: Receiving) -> None:
    body = json.dumps([SPAN, SPAN | {"id": "0" * 16}]).encode()
    assert await post(parts, body) == (202, "", "")
    assert (parts.rows, parts.dropped("traces", "bad_span_id")) == (1, 1)
    assert (await post(parts, gzip.compress(body), Content_Encoding="gzip"))[0] == 202
    assert parts.rows == 2


async def test_refusals(parts: Receiving) -> None:
    assert (await post(parts, b"["))[0] == 400
    assert (await post(parts, b"[]", Content_Type="text/plain"))[0] == 415
    assert (await post(parts, b"[]", Content_Encoding="br"))[0] == 415
    assert (await post(parts, gzip.compress(b"[]")[:-4], Content_Encoding="gzip"))[0] == 400
    for body, headers in ((b" " * (LIMIT + 1), {}), (gzip.compress(bytes(20_000_000)), {"Content_Encoding": "gzip"})):
        assert (await post(parts, body, **headers))[0] == 413
    parts.error = LogFull("full", 5)
    assert await post(parts, json.dumps([SPAN]).encode()) == (503, "full\n", "5")
    counted = [parts.refused("traces", cause) for cause in ("malformed", "unsupported", "too_large")]
    assert counted == [2, 2, 2]
    assert parts.refused("traces", "log_full") == 1
