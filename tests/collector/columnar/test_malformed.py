"""Bytes that are no request are refused with a reason, whatever they are; nothing panics."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector import _columnar as columnar
from collector.receive.request import Coding
from tests.world import otlp_oracle as oracle
from tests.world import otlp_requests as world

CODINGS = ("identity", "gzip", "zstd")


def attempt(body: bytes, *, json: bool = False, coding: Coding = "identity") -> None:
    """Either a block or a refusal with words; a panic would surface as PanicException."""
    with contextlib.suppress(columnar.DecodeError, columnar.TooLarge):
        encoded = columnar.encode_traces(body, json=json, coding=coding, limit=1_000_000)
        for block in encoded.blocks:
            assert columnar.native_block_length(block.data) == len(block.data)


@settings(max_examples=300, deadline=None)
@given(request=world.requests, data=st.data())
def test_cut_or_altered_bytes(request: ExportTraceServiceRequest, data: st.DataObject) -> None:
    plain = request.SerializeToString()
    for body, form in (
        (plain, {}),
        (oracle.to_otlp_json(request), {"json": True}),
        (gzip.compress(plain), {"coding": "gzip"}),
        (zstandard.compress(plain), {"coding": "zstd"}),
    ):
        cut = data.draw(st.integers(0, len(body)))
        attempt(body[:cut], **form)
        if body:
            at, byte = data.draw(st.integers(0, len(body) - 1)), data.draw(st.integers(0, 255))
            attempt(body[:at] + bytes([byte]) + body[at + 1 :], **form)


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200), json=st.booleans(), coding=st.sampled_from(CODINGS))
def test_any_bytes(body: bytes, json: bool, coding: Coding) -> None:
    attempt(body, json=json, coding=coding)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"\x01\x02\x01a\x06String" + tail))
def test_any_bytes_as_a_block(data: bytes) -> None:
    with contextlib.suppress(columnar.DecodeError):
        assert 0 <= columnar.native_block_length(data) <= len(data)


def test_every_truncation_of_a_span_says_what_is_missing() -> None:
    body = world.request(world.span(trace_state="a=b", attributes=[world.attribute("k", "v")])).SerializeToString()
    for end in range(1, len(body)):
        with pytest.raises(columnar.DecodeError, match=r"expected .* at byte \d+"):
            columnar.encode_traces(body[:end])


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_a_bomb_costs_its_limit(coding: Coding, compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(bytes(50_000_000))
    with pytest.raises(columnar.TooLarge, match="more than 1000000 bytes once decompressed"):
        columnar.encode_traces(bomb, coding=coding, limit=1_000_000)


def test_a_resource_repeated_on_many_spans_is_bounded() -> None:
    request = world.request(*(world.span() for _ in range(1000)), service="x" * 50_000)
    body = request.SerializeToString()
    assert len(body) < 150_000
    with pytest.raises(columnar.TooLarge, match="as columns: send smaller batches"):
        columnar.encode_traces(body, limit=150_000)


def test_json_says_what_it_expected() -> None:
    for text, part in (
        ('{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": "SPAN_KIND_SERVER"}]}]}]}', "enums too are numbers"),
        (json.dumps({"resourceSpans": {}}), "an array of objects"),
        ("not json", "expected ident"),
    ):
        with pytest.raises(columnar.DecodeError, match=part):
            columnar.encode_traces(text.encode(), json=True)
