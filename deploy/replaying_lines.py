"""Feeds the log lines of a recorded incident through a collector, and reads back what was said in which span.

In: a case, the traces of its spans. Out: OTLP export requests of the lines that the store does not hold; the lines of
spans that the store does. Lines of no recorded span are left out: nothing says which request they were of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import ScopeLogs

from collector.store.client import Reader
from rootcause.load.log_patterns import Log
from rootcause.load.read_lines import read_lines
from rootcause.load.recorded import LOGS, Case
from rootcause.load.recorded_tables import logs
from rootcause.load.request_lines import placed
from rootcause.load.spans import Span
from rootcause.load.window import Interval

_AT_ONCE = 1_000
_MOST = 1_000_000
_LATER_S = 5.0
"""A request that begins in an interval says something for so much longer."""


def unsent(case: Case, reader: Reader, traces: Mapping[str, str]) -> Iterator[tuple[Log, bytes]]:
    """Export requests, each with its last line; `traces` by span id. What the store holds is not among them, as far as
    the first line of a request tells. Raises CaseRefused, StoreUnavailable, QueryFailed."""
    for path in [*case.baseline_files(LOGS), case.folder / LOGS]:
        lines = [log for log in logs(path) if log.span in traces]
        for first in range(0, len(lines), _AT_ONCE):
            part = lines[first : first + _AT_ONCE]
            if not stored(reader, part[0]):
                yield part[-1], _request(part, traces).SerializeToString()


def stored(reader: Reader, line: Log) -> bool:
    """Whether the store holds the line. Raises StoreUnavailable, QueryFailed."""
    sql = (
        "SELECT count() AS n FROM otel.otel_logs WHERE ServiceName = %(service)s AND SpanId = %(span)s"
        " AND Timestamp = fromUnixTimestamp64Nano(%(at)s)"
    )
    return bool(reader.rows(sql, {"service": line.service, "span": line.span, "at": _ns(line)})[0]["n"])


def said_in(reader: Reader, intervals: Sequence[Interval], spans: Sequence[Span]) -> list[Log]:
    """The lines of these spans. Raises StoreUnavailable, QueryFailed."""
    traces = sorted({span.trace for span in spans})
    around = [Interval(part.start, part.end + _LATER_S) for part in intervals]
    parts = [traces[first : first + _AT_ONCE] for first in range(0, len(traces), _AT_ONCE)]
    lines = [line for one in around for part in parts for line in read_lines(reader, one, part, _MOST) or ()]
    return list(placed(lines, spans))


def _request(lines: Sequence[Log], traces: Mapping[str, str]) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    of: dict[str, ScopeLogs] = {}
    for line in lines:
        if line.service not in of:
            resource = request.resource_logs.add()
            resource.resource.attributes.add(key="service.name").value.string_value = line.service
            of[line.service] = resource.scope_logs.add()
        record = of[line.service].log_records.add(time_unix_nano=_ns(line), severity_text=line.severity)
        record.trace_id, record.span_id = bytes.fromhex(traces[line.span]), bytes.fromhex(line.span)
        record.body.string_value = line.body
    return request


def _ns(line: Log) -> int:
    """Files know microseconds."""
    return round(line.time * 1e6) * 1000
