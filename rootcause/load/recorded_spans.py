"""Reads the spans of a recorded incident.

In: a zstd file of OTLP messages, each after its length. Out: messages, spans. Raises CaseRefused, which names the file.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from rootcause.load.clocks import on_one_clock
from rootcause.load.recorded import CaseRefused
from rootcause.load.spans import Span, from_otlp

MAX_MESSAGE = 64 << 20
MOST_KEPT = 1_000_000
"""Spans of normal time that are kept for the next case: about a gigabyte."""


def messages(path: Path) -> Iterator[bytes]:
    """The ExportTraceServiceRequest messages of a zstd file, each after its length as a varint. Raises CaseRefused."""
    import zstandard  # noqa: PLC0415 (only recorded incidents need it)

    try:
        with (
            path.open("rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream,
        ):
            while (length := _varint(stream)) is not None:
                if length > MAX_MESSAGE:
                    raise CaseRefused(f"{path}: not length-delimited OTLP, or a message of {length} bytes")
                body = stream.read(length)
                if len(body) != length:
                    raise CaseRefused(f"{path}: cut off, or not length-delimited OTLP")
                yield body
    except (OSError, zstandard.ZstdError) as error:
        raise CaseRefused(f"{path}: {error}") from None


def spans(path: Path) -> Iterator[Span]:
    """The spans of a recorded file. Raises CaseRefused."""
    for body in messages(path):
        try:
            request = ExportTraceServiceRequest.FromString(body)
        except DecodeError as error:
            raise CaseRefused(f"{path}: {error}; its messages are to be OTLP ExportTraceServiceRequests") from None
        yield from from_otlp(request)


class NormalSpans:
    """Spans of normal time, which cases share: files read last are kept, as far as they fit."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[Path, list[Span]] = OrderedDict()

    def read(self, path: Path) -> list[Span]:
        """Raises CaseRefused."""
        found = self._kept.pop(path, None)
        self._kept[path] = on_one_clock(spans(path)) if found is None else found
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > self._most:
            self._kept.popitem(last=False)
        return self._kept[path]


def _varint(stream: BinaryIO) -> int | None:
    """A base-128 number, least significant group first; None at the end. Source: Protocol Buffers encoding."""
    value = shift = 0
    while True:
        byte = stream.read(1)
        if not byte:
            return None
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
        shift += 7
