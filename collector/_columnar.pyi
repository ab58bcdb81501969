"""OTLP request bytes to ClickHouse Native blocks."""

__all__ = [
    "BUILD_PROFILE",
    "MOST_DAYS",
    "DecodeError",
    "Encoded",
    "TooLarge",
    "count_data_points",
    "count_log_records",
    "encode_traces",
    "native_block_length",
]

from typing import Literal, final

Coding = Literal["identity", "gzip", "zstd"]
"""How a body is compressed: content codings of HTTP by name."""

BUILD_PROFILE: str
""""debug" or "release": benchmarks refuse the former."""

MOST_DAYS: int
"""Days that the spans of one block may start on; ClickHouse refuses an insert into more than 100 partitions."""

class DecodeError(ValueError):
    """The bytes are not the OTLP message they were said to be; the message says what was expected at which offset."""

class TooLarge(ValueError):
    """The body is larger than the limit once decompressed."""

@final
class Encoded:
    """One request as one Native block for `otel_traces`, and what of it could not be kept."""

    @property
    def block(self) -> bytes:
        """Empty when there are no rows."""
    @property
    def rows(self) -> int: ...
    @property
    def days(self) -> tuple[int, ...]:
        """Days since 1970 on which the spans start, in order: the partitions the block goes to."""
    @property
    def rejected(self) -> int: ...
    @property
    def causes(self) -> dict[str, int]:
        """Spans rejected, by cause: bad_trace_id, bad_span_id, bad_parent_span_id, bad_time, too_many_days."""
    @property
    def message(self) -> str:
        """What the sender is told about the rejected spans; empty when all were kept."""

def encode_traces(body: bytes, *, json: bool = False, coding: Coding = "identity", limit: int = 67_108_864) -> Encoded:
    """Decodes an ExportTraceServiceRequest and encodes its spans as columns of `otel_traces`, without the GIL.

    `limit` bounds the decompressed size in bytes. Raises DecodeError, TooLarge.
    Sources: OTLP 1.x; ClickHouse Native format; column order of the OpenTelemetry ClickHouse exporter.
    """

def count_data_points(body: bytes, *, json: bool = False, coding: Coding = "identity", limit: int = 67_108_864) -> int:
    """How many points an ExportMetricsServiceRequest holds. Raises DecodeError, TooLarge."""

def count_log_records(body: bytes, *, json: bool = False, coding: Coding = "identity", limit: int = 67_108_864) -> int:
    """How many records an ExportLogsServiceRequest holds. Raises DecodeError, TooLarge."""

def native_block_length(data: bytes) -> int:
    """Length in bytes of the first whole Native block in `data`, 0 when it is not whole yet. Raises DecodeError."""
