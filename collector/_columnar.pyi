"""OTLP request bytes to ClickHouse Native blocks."""

__all__ = [
    "BUILD_PROFILE",
    "MOST_DAYS",
    "Block",
    "DecodeError",
    "Encoded",
    "Facts",
    "Rules",
    "Tail",
    "TooLarge",
    "encode_logs",
    "encode_metrics",
    "encode_traces",
    "native_block_length",
    "native_blocks_at",
    "native_columns",
]

from typing import Literal, final

_Coding = Literal["identity", "gzip", "zstd"]
"""How a body is compressed: content codings of HTTP by name."""

BUILD_PROFILE: str
""""debug" or "release": benchmarks refuse the former."""

MOST_DAYS: int
"""Days that the items of one request may lie on."""

class DecodeError(ValueError):
    """The bytes are not the OTLP message they were said to be; the message says what was expected at which offset."""

class TooLarge(ValueError):
    """The body is larger than the limit once decompressed."""

@final
class Block:
    """The rows of one table that lie on one day, as one Native block; there is always at least one row."""

    @property
    def table(self) -> str: ...
    @property
    def day(self) -> int:
        """Since 1970: the partition the rows go to."""
    @property
    def data(self) -> bytes: ...
    @property
    def rows(self) -> int: ...

@final
class Encoded:
    """One request as blocks, one a table and day, and what of it could not be kept."""

    @property
    def blocks(self) -> tuple[Block, ...]: ...
    @property
    def rejected(self) -> int: ...
    @property
    def causes(self) -> dict[str, int]:
        """Items rejected, by cause: bad_trace_id, bad_span_id, bad_parent_span_id, bad_time, too_many_days."""
    @property
    def message(self) -> str:
        """What the sender is told about the rejected items; empty when all were kept."""
    @property
    def redacted(self) -> dict[str, int]:
        """Values that were changed or left out, by the name of the rule; limits.count and limits.value_bytes."""
    @property
    def facts(self) -> Facts | None:
        """Of spans, when they were asked for."""

@final
class Facts:
    """What tail sampling has to know of the spans of one request; of use to `Tail` only."""

@final
class Tail:
    """Requests that wait until the traces in them had time to come in. Times are of a clock that only runs.

    `json`: {wait: nanoseconds, sample, weight, slow, rare, spans, bytes, traces}. Raises ValueError.
    """

    def __new__(cls, json: str) -> Tail: ...
    def see(self, number: int, bytes: int, facts: Facts, now_ns: int) -> None:
        """Takes a request of so many bytes that is on disk."""
    def due(self, now_ns: int) -> list[tuple[int, bytes]]:
        """Requests that waited for long enough, or for which there is no room: number, and what `verdict` takes."""
    def name(self, traces: list[str]) -> None:
        """These traces stay whole, by their ids in hexadecimal; those named before are forgotten."""
    def waiting(self) -> tuple[int, int, int, int]:
        """Requests, spans, traces and bytes."""
    def tally(self) -> dict[str, int]:
        """What was decided since the last call.

        Traces that stay by why (failed, reason, retried, audited, mesh, weighted, named, slow, rare); traces that are
        sampled, left_out; of both those decided early; late_spans, kept_spans, sampled_spans, left_out_spans.
        """

@final
class Rules:
    """What of attributes, texts and log bodies is not to be stored, compiled.

    `json`: {redact: [{name, action, keys, values, regex}], hash_key, count, value_bytes}. Raises ValueError, which
    names the rule.
    """

    def __new__(cls, json: str) -> Rules: ...

def encode_traces(
    body: bytes,
    *,
    json: bool = False,
    coding: _Coding = "identity",
    limit: int = 67_108_864,
    rules: Rules | None = None,
    facts: bool = False,
    verdict: bytes | None = None,
) -> Encoded:
    """Decodes an ExportTraceServiceRequest and encodes its spans as columns of `otel_traces`, without the GIL.

    `limit` bounds the decompressed size in bytes; `rules` say what is not to be stored; `facts` asks for those. With a
    `verdict` of Tail, what is left out goes to `mesh_unkept`. Raises DecodeError, TooLarge, ValueError.
    Sources: OTLP 1.x; ClickHouse Native format; columns of the OpenTelemetry ClickHouse exporter.
    """

def encode_metrics(
    body: bytes,
    *,
    json: bool = False,
    coding: _Coding = "identity",
    limit: int = 67_108_864,
    rules: Rules | None = None,
) -> Encoded:
    """Likewise an ExportMetricsServiceRequest, its points as columns of `otel_metrics_*`, a table a kind."""

def encode_logs(
    body: bytes,
    *,
    received_ns: int,
    json: bool = False,
    coding: _Coding = "identity",
    limit: int = 67_108_864,
    rules: Rules | None = None,
) -> Encoded:
    """Likewise an ExportLogsServiceRequest, its records as columns of `otel_logs`.

    `received_ns`, since 1970, is the time of records that know neither when they happened nor when they were seen.
    """

def native_block_length(data: bytes) -> int:
    """Length in bytes of the first whole Native block in `data`, 0 when it is not whole yet. Raises DecodeError."""

def native_columns(data: bytes) -> list[tuple[str, str]]:
    """Names and types of the columns of the first Native block in `data`. Raises DecodeError when it is not whole, or
    has a column whose length its type does not tell."""

def native_blocks_at(data: bytes, revision: int) -> bytes:
    """Whole blocks of `FORMAT Native` as a client of a protocol revision reads them. Raises DecodeError."""
