"""What senders may throw at the collector costs it bounded memory, and the next request is taken."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.bench.measure import peak_mb
from tests.world import otlp_requests as world
from tests.world.collectors import collector
from tests.world.processes import until

MB = 1 << 20
SPANS = 100_000
MOST_MB = 1_500
TRACE = b"one trace only.."


def one_trace() -> bytes:
    """A request of one trace of 100,000 spans."""
    template = world.request(service="hostile")
    scoped = template.resource_spans[0].scope_spans[0]
    scoped.spans.extend(world.span(trace_id=TRACE, span_id=number.to_bytes(8, "big")) for number in range(1, SPANS + 1))
    return template.SerializeToString()


def test_bombs_wrong_types_and_a_huge_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with collector(tmp_path) as served:
        assert served.send(gzip.compress(bytes(256 * MB), 1), Content_Encoding="gzip") == 413, "a bomb"
        assert served.send(bytes(65 * MB)) == 413, "more than a body may be"
        for wrong in (b"\x0a\xff\xff\xff\xff\x0f", b"\x08\x01" * 9 + b"\x0b", b"\x0a\x04\x12\x02\x12\x05"):
            assert served.send(wrong) == 400, wrong
        assert served.send(one_trace()) == 200
        served.settle()
        stored = f"SELECT count(), uniqExact(SpanId) FROM otel.otel_traces WHERE TraceId = '{TRACE.hex()}'"
        until(lambda: served.query(stored) == [(SPANS, SPANS)], "every span of the trace")
        peak = peak_mb(served.process.pid)
    with capsys.disabled():
        print(f"\n  hostile input: at most {peak} MB resident")
    assert peak < MOST_MB
