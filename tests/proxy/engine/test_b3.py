"""B3 comes in and goes out beside W3C Trace Context."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from tests.proxy.engine.conftest import Pair
from tests.world.apps import app, echo
from tests.world.engines import sidecar, upstream
from tests.world.otlp_sink import OtlpSink

LONG = "0af7651916cd43dd8448eb211c80319c"
SHORT = "8448eb211c80319c"
CALLER = "b7ad6b7169203331"
W3C = f"00-{'1' * 32}-{'2' * 16}-01"
MULTI = {"x-b3-traceid": SHORT, "x-b3-spanid": CALLER, "x-b3-sampled": "1"}


async def told(pair: Pair, headers: dict[str, str]) -> dict[str, str]:
    """What the application got."""
    async with pair.call(headers=headers) as response:
        assert response.status == 200
        got: dict[str, str] = (await response.json())["headers"]
    return got


@pytest.mark.parametrize(
    ("headers", "trace", "parent"),
    [
        ({"b3": f"{LONG}-{CALLER}-1"}, LONG, CALLER),
        ({"b3": f"{SHORT}-{CALLER}"}, SHORT.rjust(32, "0"), CALLER),
        (MULTI, SHORT.rjust(32, "0"), CALLER),
        ({"b3": f"{LONG}-{CALLER}-1", **MULTI}, LONG, CALLER),
        ({"b3": f"{LONG}-{CALLER}-1", "traceparent": W3C}, "1" * 32, "2" * 16),
        ({"b3": f"{LONG}-{CALLER}-1", "traceparent": "nonsense"}, LONG, CALLER),
    ],
)
async def test_a_trace_told_in_b3_is_continued(pair: Pair, headers: dict[str, str], trace: str, parent: str) -> None:
    got = await told(pair, headers)
    (client,) = await pair.sink.wait(1, "front")
    assert (client.trace, client.parent) == (trace, parent)
    assert got["traceparent"].startswith(f"00-{trace}-")
    assert {name: got[name] for name in headers if name != "traceparent"} == {
        name: value for name, value in headers.items() if name != "traceparent"
    }, "nothing is to go out as B3: what came passes"


@pytest.mark.parametrize(
    "value",
    [
        "-", "--", "2", "deny", LONG, f"{LONG}-", f"-{CALLER}", f"{LONG.upper()}-{CALLER}", f"{LONG[1:]}-{CALLER}",
        f"{'0' * 32}-{CALLER}", f"{LONG}-{'0' * 16}", f"{LONG}-{CALLER}-x", f"{LONG}-{CALLER}-1-{CALLER}-1",
        f"{LONG}-{CALLER}-1-\u00ff", "f" * 8_000, "-" * 8_000, f"{LONG}-{CALLER}-1, {LONG}-{CALLER}-1",
    ],
)  # fmt: skip
async def test_what_is_not_b3_starts_a_trace(pair: Pair, value: str) -> None:
    got = await told(pair, {"b3": value, "x-b3-traceid": "zz", "x-b3-spanid": value})
    (client,) = await pair.sink.wait(1, "front")
    assert client.parent == ""
    assert got["traceparent"].startswith(f"00-{client.trace}-")
    assert client.trace not in (LONG, "0" * 32)


async def test_a_caller_may_only_say_not_to_sample(pair: Pair) -> None:
    got = await told(pair, {"b3": "0"})
    (client,) = await pair.sink.wait(1, "front")
    assert client.parent == ""
    assert got["traceparent"] == f"00-{client.trace}-{(await pair.sink.wait(1, 'back'))[0].span}-00"


@pytest.mark.parametrize("form", ["single", "multi", "both"])
async def test_what_is_configured_goes_out_and_nothing_stale(
    sink: OtlpSink, session: aiohttp.ClientSession, form: str
) -> None:
    """To the application and, through the proxies, to the next one; a change takes effect with the next request."""
    async with (
        app(echo) as address,
        sidecar("back", app=address, telemetry=sink.url) as back,
        sidecar("front", calls=(upstream("back", back.endpoint),), telemetry=sink.url) as front,
    ):
        for one in (front, back):
            await one.apply(telemetry=one.snapshot.telemetry.model_copy(update={"b3": form}))
        stale = {"b3": "0", "x-b3-flags": "1", "x-b3-traceid": "zz", "traceparent": W3C}
        async with session.get("http://back/", headers=stale, proxy=front.proxy) as response:
            got = (await response.json())["headers"]
        (client,) = await sink.wait(1, "front")
        (server,) = await sink.wait(1, "back")
    assert (server.trace, server.parent) == (client.trace, client.span)
    single = f"{server.trace}-{server.span}-1-{client.span}"
    multi = {
        "x-b3-traceid": server.trace,
        "x-b3-spanid": server.span,
        "x-b3-parentspanid": client.span,
        "x-b3-sampled": "1",
    }
    expected = {"single": {"b3": single}, "multi": multi, "both": {"b3": single, **multi}}[form]
    assert {name: value for name, value in got.items() if "b3" in name} == expected


async def test_calls_of_an_application_that_knows_only_b3_are_children(
    sink: OtlpSink, session: aiohttp.ClientSession
) -> None:
    """A library makes a span of its own under the one it was given, and sends no W3C header."""

    async def handle(request: web.Request) -> web.StreamResponse:
        trace, given, *_ = request.headers["b3"].split("-")
        headers = {"b3": f"{trace}-{'ab' * 8}-1-{given}"}
        async with session.get("http://back/", headers=headers, proxy=middle.proxy) as response:
            return web.Response(status=response.status)

    async with (
        app(echo) as last,
        app(handle) as address,
        sidecar(
            "middle", app=address, calls=(upstream("back", last),), telemetry=sink.url, export={"b3": "single"}
        ) as middle,
    ):
        async with session.get(f"http://{middle.inbound}/") as response:
            assert response.status == 200
        spans = {span.kind: span for span in await sink.wait(2, "middle")}
    assert spans["server"]["mesh.children"] == 1
    assert spans["client"].trace == spans["server"].trace
    assert spans["client"].parent == "ab" * 8
