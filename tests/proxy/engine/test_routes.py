"""Requests take the route that is for them, through a real engine and real applications."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from proxy._engine import SnapshotRefused
from proxy.snapshot import Endpoint, Upstream
from proxy.snapshot.routes import Route
from tests.world.apps import app, echo, talker
from tests.world.engines import Sidecar, sidecar, upstream
from tests.world.otlp_sink import OtlpSink, eventually


class Shop:
    """`front` with routes for `api`, and the applications these lead to, each of which says its name."""

    def __init__(self, front: Sidecar, session: aiohttp.ClientSession, apps: dict[str, str], seen: list[str]) -> None:
        self.front = front
        self.session = session
        self.apps = apps
        self.seen = seen
        self.more: tuple[Upstream, ...] = ()

    def services(self, *routes: dict[str, Any]) -> tuple[Upstream, ...]:
        versions = tuple(
            Endpoint(address=self.apps[f"api-{version}"], version=version, instance=f"api-{version}")
            for version in ("v1", "v2")
        )
        parsed = tuple(Route.model_validate({"name": f"r/{place}"} | one) for place, one in enumerate(routes))
        api = Upstream(name="api", authorities=("api", "api:8080"), endpoints=versions, routes=parsed)
        return api, upstream("other", self.apps["other"]), upstream("shadow", self.apps["shadow"]), *self.more

    async def route(self, *routes: dict[str, Any]) -> None:
        await self.front.change(services=self.services(*routes))

    async def ask(self, path: str = "/", method: str = "GET", **more: Any) -> tuple[int, dict[str, Any]]:
        url = f"http://api{path}"
        async with self.session.request(method, url, proxy=self.front.proxy, allow_redirects=False, **more) as response:
            text = await response.text()
            headers = {name.lower(): value for name, value in response.headers.items()}
            said = json.loads(text) if headers.get("x-from") == "app" else {"text": text}
            return response.status, said | {"answer": headers}

    async def who(self, path: str = "/", **more: Any) -> str:
        return str((await self.ask(path, **more))[1]["app"])


@pytest.fixture
async def shop(sink: OtlpSink, session: aiohttp.ClientSession) -> AsyncIterator[Shop]:
    seen: list[str] = []

    def named(name: str) -> Any:
        async def answer(request: web.Request) -> web.StreamResponse:
            response = await echo(request)
            assert isinstance(response, web.Response)
            seen.append(f"{name} {request.method} {request.path_qs} {await request.text()}".strip())
            body = json.loads(response.text or "") | {"app": name}
            await asyncio.sleep(float(request.query.get("sleep", "0")))
            return web.json_response(body, status=response.status, headers={"x-from": "app"})

        return answer

    async with AsyncExitStack() as stack:
        names = ("api-v1", "api-v2", "other", "shadow")
        apps = {name: await stack.enter_async_context(app(named(name))) for name in names}
        front = await stack.enter_async_context(sidecar("front", calls=(), telemetry=sink.url))
        yield Shop(front, session, apps, seen)


def to(*services: str, **more: Any) -> dict[str, Any]:
    return {"backends": [{"service": service} for service in services], **more}


def prefix(value: str) -> dict[str, str]:
    return {"kind": "prefix", "value": value}


async def test_the_first_route_that_matches_counts(shop: Shop) -> None:
    await shop.route(
        to("other", path=prefix("/other"), method="GET"),
        to("shadow", headers=[{"name": "x-to", "kind": "regex", "value": "sha.*"}]),
        to("api", query=[{"name": "v", "value": "1"}]),
    )
    assert await shop.who("/other/x") == "other"
    assert await shop.who("/x", headers={"X-To": "shadow"}) == "shadow"
    assert (await shop.who("/x?v=1")).startswith("api-")
    status, said = await shop.ask("/otherwise")
    assert (status, said["answer"]["mesh-reason"]) == (404, "no_route")
    assert "api" in said["text"]


async def test_the_path_of_a_match_stands_for_the_paths_it_takes(shop: Shop, sink: OtlpSink) -> None:
    await shop.route(
        to("other", path={"kind": "exact", "value": "/a/17"}),
        to("other", path={"kind": "regex", "value": "/b/[0-9]+"}),
        to("other", path=prefix("/c")),
        to("other", path=prefix("/" + "long" * 40)),
        to("other"),
    )
    paths = ["/a/17", "/b/3", "/c/x/y", "/" + "long" * 40 + "/1", "/d/4"]
    for path in paths:
        await shop.who(path)
    routes = [span.attributes["mesh.route"] for span in await sink.wait(len(paths))]
    assert routes == ["/a/17", "/b/[0-9]+", "/c/*", "{other}", "/d/{id}"]


async def test_weights_and_versions_divide_requests(shop: Shop) -> None:
    old, new = {"service": "api", "version": "v1"}, {"service": "api", "version": "v2"}
    await shop.route({"backends": [old | {"weight": 99}, new]})
    count = Counter([await shop.who() for _ in range(400)])
    assert count.total() == 400
    assert 3 <= count["api-v2"] <= 5, "one in a hundred is one in every hundred"
    await shop.route({"backends": [old | {"weight": 0}, new]})
    assert {await shop.who() for _ in range(50)} == {"api-v2"}


SPLIT = {"backends": [{"service": "api", "version": version} for version in ("v1", "v2")]}


async def test_a_user_of_the_application_stays_with_its_backend(shop: Shop) -> None:
    await shop.route(SPLIT | {"sticky": {"kind": "cookie", "name": "user"}})
    first = {user: await shop.who(headers={"Cookie": f"a=b; user={user}"}) for user in range(24)}
    for _ in range(3):
        assert {user: await shop.who(headers={"Cookie": f"user={user}; z=1"}) for user in first} == first
    assert set(first.values()) == {"api-v1", "api-v2"}
    assert {await shop.who() for _ in range(10)} == {"api-v1", "api-v2"}, "those without a cookie are divided"
    assert "set-cookie" not in (await shop.ask())[1]["answer"], "the application's cookies are its own"


async def test_the_mesh_gives_a_session_to_who_has_none(shop: Shop) -> None:
    await shop.route(SPLIT | {"sticky": {"kind": "cookie", "name": "mesh", "given": True, "max_age_s": 60}})
    served = Counter[str]()
    for _ in range(12):
        shop.session.cookie_jar.clear()
        _, said = await shop.ask(headers={"Cookie": "other=1"})
        cookie, *attributes = said["answer"]["set-cookie"].split("; ")
        assert attributes == ["Path=/", "HttpOnly", "Max-Age=60"]
        shop.session.cookie_jar.clear()
        for _ in range(3):
            _, again = await shop.ask(headers={"Cookie": f"other=1; {cookie}"})
            assert (again["app"], "set-cookie" in again["answer"]) == (said["app"], False)
        served[said["app"]] += 1
    assert set(served) == {"api-v1", "api-v2"}


async def test_a_session_keeps_to_one_instance(shop: Shop) -> None:
    await shop.route(to("api", sticky={"kind": "header", "name": "x-session", "given": True}))
    served = set()
    for _ in range(12):
        _, said = await shop.ask()
        session = {"X-Session": said["answer"]["x-session"]}
        assert [await shop.who(headers=session) for _ in range(3)] == [said["app"]] * 3
        served.add(said["app"])
    assert served == {"api-v1", "api-v2"}


async def test_headers_are_edited_both_ways(shop: Shop) -> None:
    edit = {"set": [("x-a", "1")], "add": [("x-b", "2")], "remove": ["x-c"]}
    await shop.route(
        to("other", request_headers=edit, response_headers={"set": [("x-from", "app"), ("x-via", "mesh")]})
    )
    _, said = await shop.ask(headers={"X-A": "0", "X-C": "3"})
    sent = said["headers"]
    assert (sent["x-a"], sent["x-b"], "x-c" in sent) == ("1", "2", False)
    assert said["answer"]["x-via"] == "mesh"


async def test_host_and_path_are_rewritten(shop: Shop) -> None:
    await shop.route(
        to("other", path=prefix("/v1"), rewrite={"host": "old.example", "path": {"value": "/api", "prefix": "/v1"}})
    )
    _, said = await shop.ask("/v1/items?x=1")
    assert (said["path"], said["headers"]["host"]) == ("/api/items?x=1", "old.example")


async def test_a_rule_that_leads_nowhere_is_a_mistake_of_the_mesh(shop: Shop, sink: OtlpSink) -> None:
    zero = {"path": prefix("/zero"), "backends": [{"service": "other", "weight": 0}]}
    await shop.route({"path": prefix("/none")}, zero)
    for path, rule in [("/none", "r/0"), ("/zero", "r/1")]:
        status, said = await shop.ask(path)
        assert (status, said["answer"]["mesh-reason"]) == (500, "no_backends")
        assert f"({rule})" in said["text"], "the answer names the rule"
    spans = await sink.wait(2)
    assert {(span.attributes["mesh.reason"], span.attributes["mesh.rule"]) for span in spans} == {
        ("no_backends", "r/0"),
        ("no_backends", "r/1"),
    }


async def test_a_route_answers_itself(shop: Shop, sink: OtlpSink) -> None:
    await shop.route(
        {"path": prefix("/gone"), "answer": {"status": 410, "body": "no more"}},
        {"path": prefix("/old"), "redirect": {"path": {"value": "/new", "prefix": "/old"}, "status": 308}},
    )
    status, said = await shop.ask("/gone")
    assert (status, said["text"], said["answer"]["mesh-reason"]) == (410, "no more", "route_answer")
    status, said = await shop.ask("/old/x?q=1")
    assert (status, said["answer"]["location"]) == (308, "http://api/new/x?q=1")
    assert shop.seen == []
    spans = await sink.wait(2)
    assert [span.attributes["http.response.status_code"] for span in spans] == [410, 308]
    assert {span.attributes["mesh.reason"] for span in spans} == {"route_answer"}
    assert [span.attributes["mesh.rule"] for span in spans] == ["r/0", "r/1"]


@pytest.mark.parametrize("body", [b"", b"small", b"x" * 300_000], ids=["none", "small", "large"])
async def test_a_mirror_gets_a_copy(shop: Shop, sink: OtlpSink, body: bytes) -> None:
    await shop.route(to("other", mirrors=[{"to": {"service": "shadow"}}]))
    status, _ = await shop.ask("/m?status=503", "POST", data=body)
    assert status == 503
    text = body.decode()
    wanted = {f"{name} POST /m?status=503 {text}".strip() for name in ("other", "shadow")}
    await eventually(lambda: set(shop.seen) == wanted, lambda: str([line[:60] for line in shop.seen]))
    spans = await sink.wait(2)
    assert {span.attributes["mesh.destination.service"] for span in spans} == {"other", "shadow"}
    assert [span.attributes.get("mesh.mirror") for span in spans if "mesh.mirror" in span.attributes] == ["true"]


async def test_a_mirror_that_hangs_or_is_gone_holds_nobody_up(shop: Shop) -> None:
    async def never_reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with talker(never_reads) as address:
        shop.more = (upstream("hung", address), upstream("gone", "127.0.0.1:9"))
        await shop.route(to("other", mirrors=[{"to": {"service": "hung"}}, {"to": {"service": "gone"}}]))
        async with asyncio.timeout(5):
            for _ in range(5):
                assert await shop.who("/slow", data=b"x" * 900_000, method="POST") == "other"
        await shop.route(to("other", mirrors=[{"to": {"service": "shadow"}, "per_million": 0}]))
        for _ in range(20):
            await shop.who("/none")
        assert not [line for line in shop.seen if line.startswith("shadow")]


async def test_the_whole_request_and_each_attempt_have_their_time(shop: Shop) -> None:
    await shop.route(to("other", timeout_ms=150))
    status, said = await shop.ask("/?sleep=2")
    assert (status, said["answer"]["mesh-reason"]) == (504, "route_timeout")
    await shop.route(to("other", timeout_ms=5_000, attempt_timeout_ms=100))
    status, said = await shop.ask("/?sleep=2")
    assert (status, said["answer"]["mesh-reason"]) == (504, "upstream_timeout")
    assert await shop.who("/?sleep=0.01") == "other"


async def test_zero_is_no_limit(shop: Shop) -> None:
    slow = upstream("slow", shop.apps["other"], timeout_ms=50)
    shop.more = (slow,)
    await shop.route(to("slow"))
    assert (await shop.ask("/?sleep=0.3"))[0] == 504
    for limits in ({"timeout_ms": 0}, {"timeout_ms": 5_000, "attempt_timeout_ms": 0}):
        await shop.route(to("slow", **limits))
        assert await shop.who("/?sleep=0.3") == "other", limits


async def test_a_route_to_nowhere_is_refused(shop: Shop) -> None:
    await shop.route(to("other"))
    for broken, told in [
        (to("nobody"), 'services[0].routes[0].backends[0].service: "nobody" is not a service'),
        (to("other", path={"kind": "regex", "value": "("}), "services[0].routes[0].path.value"),
        (to("other", request_headers={"set": [("host", "x")]}), 'request_headers.set[0][0]: "host" says how'),
        ({"answer": {"status": 200}, **to("other")}, "can have backends, a redirect or an answer"),
    ]:
        with pytest.raises(SnapshotRefused, match=re.escape(told)):
            await shop.front.change(services=shop.services(broken))
        assert await shop.who() == "other", "what was in force stays in force"


async def test_the_matcher_agrees_with_a_plain_reading_of_the_rules(shop: Shop) -> None:
    """Random routes and requests, against an implementation in which nothing is clever."""
    rng = random.Random(11)
    segments, values = ["a", "ab", "b"], ["1", "2", "12"]

    def some_path() -> str:
        return "/" + "/".join(rng.choices(segments, k=rng.randint(0, 3)))

    def some_route() -> dict[str, Any]:
        route: dict[str, Any] = {}
        if rng.random() < 0.8:
            kind = rng.choice(["exact", "prefix", "regex"])
            value = some_path() if kind != "prefix" else some_path().rstrip("/")
            route["path"] = {"kind": kind, "value": value.replace("b", "[ab]") if kind == "regex" else value}
        if rng.random() < 0.3:
            route["method"] = rng.choice(["GET", "POST"])
        for field, name in (("headers", "x-h"), ("query", "q")):
            if rng.random() < 0.3:
                kind, value = rng.choice(["exact", "regex"]), rng.choice(values)
                route[field] = [{"name": name, "kind": kind, "value": value.replace("2", "[0-9]?")}]
        return route

    for _ in range(25):
        routes = [some_route() for _ in range(6)]
        await shop.route(*(route | {"answer": {"status": 200, "body": str(n)}} for n, route in enumerate(routes)))
        for _ in range(20):
            path, method = some_path(), rng.choice(["GET", "POST"])
            header, query = rng.choice([None, *values]), rng.choice([None, *values])
            wanted = next((n for n, route in enumerate(routes) if plainly(route, path, method, header, query)), None)
            target = path + (f"?q={query}" if query else "")
            status, said = await shop.ask(target, method, headers={"X-H": header} if header else {})
            got = None if status == 404 else int(said["text"])
            assert got == wanted, (routes, target, method, header)


def plainly(route: dict[str, Any], path: str, method: str, header: str | None, query: str | None) -> bool:
    def value(match: dict[str, str], text: str | None) -> bool:
        if text is None:
            return False
        return text == match["value"] if match["kind"] == "exact" else bool(re.fullmatch(match["value"], text))

    wanted = route.get("path")
    if wanted and wanted["kind"] == "prefix":
        parts = [part for part in wanted["value"].split("/") if part]
        if list(itertools.islice((part for part in path.split("/") if part), len(parts))) != parts:
            return False
    elif wanted and not value(wanted, path):
        return False
    return (
        route.get("method") in (None, method)
        and all(value(match, header) for match in route.get("headers", ()))
        and all(value(match, query) for match in route.get("query", ()))
    )
