"""Mode `recorder` over six hops: the bytes of one failure in ten thousand beside those of recording every request.

In: requests through tests/world/chain.py, of which one fails and is hidden from everyone above the fifth hop.
Out: bytes sent in both modes, and whether all of the failing trace is there and nothing else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.environment import Environment
from tests.bench.results import Column, Findings, Table, Target
from tests.world.chain import SPANS, Chain, chain
from tests.world.otlp_sink import OtlpSink, eventually, otlp_sink

MOST_PERCENT = 1.0
_SAMPLE = 1_000
_AT_ONCE = 8


@dataclass(frozen=True)
class Figures:
    """Of so many requests, one of which failed; a span missing counts as much as one too many."""

    requests: int
    bytes_a_request: float
    sent_bytes: int
    spans: int
    missing: int

    @property
    def percent(self) -> float:
        """Bytes sent, of what mode `all` sends for the same requests."""
        return 100 * self.sent_bytes / (self.bytes_a_request * self.requests)


def measure(environment: Environment, requests: int = 10_000) -> Findings:
    """One failure in so many requests."""
    folder = environment.folder / "recorder"
    folder.mkdir()
    figures = asyncio.run(count(folder, requests))
    table = Table(
        title=f"One failure in {requests:,} requests through six hops and a side branch",
        columns=(Column(head="mode"), Column(head="spans stored"), Column(head="bytes sent")),
        rows=(
            ("all", requests * SPANS, round(figures.bytes_a_request * requests)),
            ("recorder", figures.spans, figures.sent_bytes),
        ),
    )
    what = f"recorder, one failure in {requests:,}"
    return Findings(
        section="recorder",
        tables=(table,),
        targets=(
            _at_most(f"{what}: spans of the failing trace missing, or of others sent", figures.missing, 0),
            _at_most(f"{what}: bytes, of those of mode all", figures.percent, MOST_PERCENT, " %"),
        ),
    )


async def count(folder: Path, requests: int, sample: int = _SAMPLE) -> Figures:
    """Measures mode `all` over a sample, then switches the running mesh to `recorder`."""
    async with otlp_sink() as sink, chain(folder, _settings(sink)) as mesh, aiohttp.ClientSession() as session:
        await mesh.load(session, sample, _AT_ONCE)
        await _sent(mesh, sink, sample // _AT_ONCE * _AT_ONCE * SPANS)
        bytes_a_request = sink.received_bytes / (len(sink.spans) / SPANS)

        mesh.write(_settings(sink, mode="recorder"))
        await mesh.served()
        sink.spans.clear()
        sink.received_bytes = 0
        await mesh.load(session, requests // 2, _AT_ONCE)
        await mesh.ask(session, "status=500")
        await mesh.load(session, requests // 2 - 1, _AT_ONCE)
        await _sent(mesh, sink, SPANS)
        failing = {span.trace for span in sink.spans if span.error}
        whole = [span for span in sink.spans if span.trace in failing]
        others = len(sink.spans) - len(whole)
        return Figures(requests, bytes_a_request, sink.received_bytes, len(sink.spans), SPANS - len(whole) + others)


def _settings(sink: OtlpSink, **more: Any) -> dict[str, Any]:
    return {"endpoint": sink.url, "recorder": {"slow": "off"}, **more}


async def _sent(mesh: Chain, sink: OtlpSink, spans: int) -> None:
    await eventually(lambda: len(sink.spans) >= spans, lambda: f"{spans} spans, not {len(sink.spans)}", 120)
    await eventually(lambda: mesh.records("pending") == 0, "every record to be sent or kept back", 120)


def _at_most(what: str, measured: float, target: float, unit: str = "") -> Target:
    return Target(what=what, measured=measured, target=target, bound="at most", unit=unit)
