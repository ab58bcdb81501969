"""A byte budget thins ordinary traces, says what each span stands for, and never leaves out an error."""

from __future__ import annotations

import asyncio

import aiohttp

from tests.proxy.engine.test_export import calls, dropped
from tests.world.apps import app, echo
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.otlp_sink import OtlpSink, Seen, eventually


async def successes(front: Sidecar, count: int) -> None:
    async with aiohttp.ClientSession() as session:

        async def some(share: int) -> None:
            for _ in range(share):
                async with session.get("http://pay/", proxy=front.proxy) as response:
                    assert response.status == 200

        await asyncio.gather(*(some(count // 10) for _ in range(10)))


def stands_for(span: Seen) -> float:
    """Requests that a span counts for (OpenTelemetry, adjusted count of the threshold `th`)."""
    members = dict(member.split("=") for member in span.state.split(",") if member)
    threshold = members.get("ot", "th:0").removeprefix("th:")
    return 1 / (1 - int(threshold.ljust(14, "0"), 16) / 2**56)


async def test_ordinary_traces_are_thinned_and_errors_are_not(sink: OtlpSink) -> None:
    budget = 300_000
    async with (
        app(echo) as pay,
        sidecar("front", calls=(upstream("pay", pay),), telemetry=sink.url, export={"budget_bytes": budget}) as front,
    ):
        await successes(front, 4_000)
        await calls(front, 200)
        await successes(front, 1_000)
        await front.idle()
        causes = dropped(front)
        records = front.stats()["records"]
        assert set(causes) == {"over_budget"}
        assert records["exported"] == len(sink.spans) == 5_200 - causes["over_budget"]
        assert causes["over_budget"] > 1_000
        assert front.counted(status="2xx") == 5_000, "counters are exact whatever is thinned"
        errors = [span for span in sink.spans if span.error]
        assert len(errors) == 200
        assert all(stands_for(span) == 1 for span in errors)
        share = front.stats()["export"]["kept_share"]
        assert 0 <= share < 1


async def test_the_choice_is_the_traces_and_its_weight_is_written(sink: OtlpSink) -> None:
    async with (
        app(echo) as pay,
        sidecar(
            "front", calls=(upstream("pay", pay),), telemetry=sink.url, export={"budget_bytes": 2_000_000}
        ) as front,
    ):
        for _ in range(6):
            await successes(front, 1_000)
        await front.idle()
        thinned = [span for span in sink.spans if stands_for(span) > 1]
        assert thinned
        for span in thinned:
            threshold = span.state.removeprefix("ot=th:").ljust(14, "0")
            assert int(span.trace[-14:], 16) >= int(threshold, 16), "consistent with the trace id"


async def test_flagged_traces_are_told_whole_whatever_they_cost(sink: OtlpSink) -> None:
    export = {"budget_bytes": 10_000, "mode": "recorder", "ring_bytes": 4 << 20}
    async with (
        app(echo) as pay,
        sidecar("front", calls=(upstream("pay", pay),), telemetry=sink.url, export=export) as front,
        aiohttp.ClientSession() as session,
    ):
        traces = [f"{number:032x}" for number in range(1, 401)]
        for trace in traces:
            parent = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
            async with session.get("http://pay/", proxy=front.proxy, headers=parent) as response:
                assert response.status == 200
        await eventually(lambda: front.stats()["records"]["held"] == 400, "the records to be kept back")
        front.engine.flush(traces)
        await sink.wait(400)
        assert {span.trace for span in sink.spans} == set(traces)
        assert sink.received_bytes > 100_000
        assert dropped(front) == {}


async def test_without_a_budget_nothing_is_thinned_or_marked(sink: OtlpSink) -> None:
    async with app(echo) as pay, sidecar("front", calls=(upstream("pay", pay),), telemetry=sink.url) as front:
        await successes(front, 1_000)
        await front.idle()
        assert len(sink.spans) == 1_000
        assert {span.state for span in sink.spans} == {""}
        assert front.stats()["export"]["kept_share"] == 1
