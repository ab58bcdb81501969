"""OTLP request bytes to ClickHouse Native blocks."""

__all__ = ["BUILD_PROFILE", "DecodeError", "Encoded", "TooLarge", "encode_traces", "native_block_length"]

BUILD_PROFILE: str

class DecodeError(ValueError):
    """The bytes are not the OTLP message they were said to be; the message says what was expected at which offset."""

class TooLarge(ValueError):
    """The body is larger than the limit once decompressed."""

class Encoded:
    """One request as one Native block for `otel_traces`, and what of it could not be kept."""

    @property
    def block(self) -> bytes: ...
    @property
    def rows(self) -> int: ...
    @property
    def rejected(self) -> int: ...
    @property
    def message(self) -> str: ...

def encode_traces(body: bytes, *, json: bool = False, gzip: bool = False, limit: int = 67_108_864) -> Encoded:
    """Decodes an ExportTraceServiceRequest and encodes its spans as columns of `otel_traces`, without the GIL.

    `limit` bounds the decompressed size in bytes. Raises DecodeError, TooLarge.
    Sources: OTLP 1.x; ClickHouse Native format; column order of the OpenTelemetry ClickHouse exporter.
    """

def native_block_length(data: bytes) -> int:
    """Length in bytes of the first whole Native block in `data`, 0 when it is not whole yet. Raises DecodeError."""
