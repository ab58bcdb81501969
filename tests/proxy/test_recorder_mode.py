"""Mode `recorder` over a whole mesh: six hops and a side branch, real engines, sidecars and control plane."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp

from tests.world import meshes
from tests.world.chain import HOPS, SPANS, Chain, chain
from tests.world.otlp_sink import OtlpSink, Seen, eventually, otlp_sink

ORDINARY = 800
HAPPENINGS = {
    "status=500": SPANS,
    "status=503": SPANS + 4,
    "stray": SPANS + 1,
    "slow_s=3": SPANS,
}
"""What happens at the sixth hop, and the spans of its trace: 503 is tried three times, `stray` calls nobody."""


def settings(sink: OtlpSink, **more: Any) -> dict[str, Any]:
    return {"endpoint": sink.url, "flush": "20ms", "recorder": {"slow": "3s"}, **more}


async def sent_by(mesh: Chain, sink: OtlpSink, spans: int) -> int:
    """Bytes sent since the sink was emptied, once there are so many spans and nothing more comes."""
    await eventually(lambda: len(sink.spans) >= spans, lambda: f"{spans} spans, not {len(sink.spans)}", 60)
    await eventually(lambda: mesh.records("pending") == 0, "every record to be sent or kept back")
    assert len(sink.spans) == spans
    return sink.received_bytes


def empty(sink: OtlpSink) -> None:
    sink.spans.clear()
    sink.received_bytes = 0


def whole(spans: list[Seen]) -> bool:
    """Whether they are one tree, each span once."""
    ids = {span.span for span in spans}
    return len(ids) == len(spans) and [span.parent in ids for span in spans].count(False) == 1


async def test_what_happened_is_told_by_every_proxy_and_the_rest_by_none(tmp_path: Path) -> None:
    async with (
        otlp_sink() as sink,
        chain(tmp_path, settings(sink)) as mesh,
        aiohttp.ClientSession() as session,
    ):
        await mesh.load(session, ORDINARY)
        everything = await sent_by(mesh, sink, ORDINARY * SPANS)

        mesh.write(settings(sink, mode="recorder"))
        await mesh.served()
        empty(sink)
        counted = mesh.requests("inbound")
        for happening in HAPPENINGS:
            await mesh.load(session, ORDINARY // len(HAPPENINGS))
            assert await mesh.ask(session, happening) == 200, "the fifth hop hides what fails behind it"
        sent = await sent_by(mesh, sink, sum(HAPPENINGS.values()))

        traces = {span.trace for span in sink.spans}
        assert len(traces) == len(HAPPENINGS)
        assert all(whole([span for span in sink.spans if span.trace == trace]) for trace in traces)
        assert {span.resource["service.name"] for span in sink.spans} == {*(f"s{n + 1}" for n in range(HOPS)), "side"}
        assert mesh.records("held") == ORDINARY * SPANS
        again = 2
        assert mesh.requests("inbound") - counted == (ORDINARY + len(HAPPENINGS)) * (HOPS + 1) + again
        assert sent / len(HAPPENINGS) < 2 * everything / ORDINARY, "a trace costs what it costs in mode all"
        assert sent < 0.01 * everything


async def test_one_service_records_all_and_the_others_only_what_happens(tmp_path: Path) -> None:
    async with (
        otlp_sink() as sink,
        chain(tmp_path, settings(sink, mode="recorder")) as mesh,
        aiohttp.ClientSession() as session,
    ):
        own = {"targetRef": {"name": "side"}, "mode": "all"}
        document = {"apiVersion": meshes.API_VERSION, "kind": "Telemetry", "metadata": {"name": "side"}, "spec": own}
        mesh.write(settings(sink, mode="recorder"), document)
        await mesh.served()
        await mesh.load(session, 4)
        await sent_by(mesh, sink, 4)
        assert {span.resource["service.name"] for span in sink.spans} == {"side"}
