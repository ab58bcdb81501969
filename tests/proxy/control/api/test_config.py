"""The configuration over HTTP: everything that a file can say, by whoever may, with what changed kept."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from proxy.control.documents import KINDS
from proxy.control.epochs.written import Key
from tests.world import meshes
from tests.world.controls import control

FRONT = meshes.service("front", meshes.endpoint("front-1", 1, sidecar=meshes.sidecar(2, 3, 4)))
CART = meshes.service("cart", meshes.endpoint("cart-1", 5, sidecar=meshes.sidecar(6, 7, 8)))
WHERE = "/v1/config/HTTPRoute/default/cart"


def weighted(v1: int, v2: int, **metadata: str) -> dict[str, Any]:
    backends = [{"name": "cart", "version": f"v{n}", "weight": weight} for n, weight in ((1, v1), (2, v2))]
    made = meshes.route("cart", "cart", {"backendRefs": backends})
    return {**made, "metadata": {**made["metadata"], **metadata}}


async def test_a_script_shifts_weights() -> None:
    async with control(FRONT, CART, weighted(90, 10)) as plane:
        status, seen = await plane.ask("GET", WHERE)
        assert (status, seen["metadata"]["resourceVersion"]) == (200, "1")
        seen["spec"]["rules"][0]["backendRefs"][1]["weight"] = 50
        status, done = await plane.ask("PUT", WHERE, seen)
        assert (status, done["epoch"]) == (200, 2)
        assert done["changes"] == ["weights of cart changed v1 90, v2 10 -> v1 90, v2 50 (HTTPRoute cart, rule 0)"]
        field = {"path": "spec.rules[0].backendRefs[1].weight", "before": 10, "after": 50}
        assert done["documents"][0]["fields"] == [field]
        assert (await plane.ask("GET", WHERE))[1]["metadata"]["resourceVersion"] == "2"
        history = (await plane.ask("GET", "/v1/history"))[1]["epochs"]
        assert [(one["epoch"], one["actor"]) for one in history] == [
            (2, "somebody on this machine"),
            (1, "file mesh.yaml"),
        ]


async def test_a_change_of_what_somebody_else_has_changed_is_refused_and_says_what_differs() -> None:
    async with control(FRONT, CART, weighted(90, 10)) as plane:
        assert (await plane.ask("PUT", WHERE, weighted(70, 30)))[0] == 200
        status, refused = await plane.ask("PUT", WHERE, weighted(50, 50, resourceVersion="1"))
        assert status == 409
        assert refused["error"].startswith(
            "HTTPRoute default/cart is of resourceVersion 2 now, and the change was made"
        )
        assert refused["differs"] == [
            {"path": "spec.rules[0].backendRefs[0].weight", "current": 70, "yours": 50},
            {"path": "spec.rules[0].backendRefs[1].weight", "current": 30, "yours": 50},
        ]
        assert (await plane.ask("DELETE", f"{WHERE}?resourceVersion=1"))[0] == 409
        assert (await plane.ask("PUT", WHERE, weighted(50, 50, resourceVersion="0")))[0] == 409
        assert (await plane.ask("DELETE", f"{WHERE}?resourceVersion=2"))[0] == 200
        assert (await plane.ask("DELETE", WHERE))[0] == 404
        status, refused = await plane.ask("PUT", WHERE, weighted(50, 50, resourceVersion="2"))
        assert (status, "is not there" in refused["error"]) == (409, True)


async def test_a_dry_run_says_who_would_be_told_and_does_nothing() -> None:
    caller = {**FRONT, "spec": {**FRONT["spec"], "calls": []}}
    async with control(caller, CART, weighted(90, 10)) as plane:
        status, would = await plane.ask("PUT", f"{WHERE}?dryRun=true", weighted(1, 1))
        assert (status, would["epoch"], would["proxies"]) == (200, 1, ["cart-1"])
        assert plane.publisher.epoch == 1
        status, refused = await plane.ask("PUT", f"{WHERE}?dryRun=maybe", weighted(1, 1))
        assert (status, refused["error"]) == (400, "dryRun: expected true or false (got 'maybe')")


async def test_several_documents_are_one_epoch_or_none() -> None:
    new = meshes.service("pay", meshes.endpoint("pay-1", 9))
    async with control(FRONT, CART) as plane:
        wrong = meshes.route("pay", "pya", {"backendRefs": [{"name": "pay"}]})
        status, refused = await plane.ask("POST", "/v1/config", {"apply": [new, wrong]})
        assert status == 422
        assert refused["mistakes"] == ["HTTPRoute pay: spec.parentRefs[0]: there is no Service pya; did you mean pay?"]
        assert plane.publisher.epoch == 1
        gone = {"kind": "Service", "name": "cart"}
        status, done = await plane.ask("POST", "/v1/config", {"apply": [new], "delete": [gone]})
        assert (status, done["epoch"]) == (200, 2)
        assert [(one["name"], one["verb"]) for one in done["documents"]] == [("cart", "deleted"), ("pay", "created")]
        status, refused = await plane.ask("POST", "/v1/config", {"apply": [new, new]})
        assert refused["mistakes"] == ["apply[1]: Service default/pay is written twice"]


async def test_a_mistake_is_named_as_in_a_file() -> None:
    async with control(FRONT) as plane:
        bad = {**CART, "spec": {**CART["spec"], "timeuot": "1s"}}
        status, refused = await plane.ask("PUT", "/v1/config/Service/default/cart", bad)
        said = "document (Service cart): spec.timeuot: unknown key; did you mean timeout?"
        assert (status, refused["mistakes"]) == (422, [said])


async def test_every_kind_can_be_written_and_read_back() -> None:
    target = {"targetRef": {"name": "cart"}}
    own = "whymesh.io/v1alpha1"
    specs: dict[str, dict[str, Any]] = {
        "Mesh": {"limits": {"requests": 7}},
        "TrafficPolicy": {**target, "retry": {"attempts": 3}},
        "FaultInjection": {**target, "rules": [{"delay": {"fixed": "10ms"}}]},
        "Telemetry": {**target, "mode": "recorder"},
    }
    documents = [
        CART,
        weighted(1, 2),
        *({"apiVersion": own, "kind": kind, "metadata": {"name": "one"}, "spec": spec} for kind, spec in specs.items()),
    ]
    async with control(FRONT) as plane:
        for document in documents:
            kind, name = document["kind"], document["metadata"]["name"]
            where = f"/v1/config/{kind}/default/{name}"
            assert (await plane.ask("PUT", where, document))[0] == 200, kind
            read = (await plane.ask("GET", where))[1]
            assert read["spec"] == document["spec"]
        listed = (await plane.ask("GET", "/v1/config"))[1]["documents"]
        assert {one["document"]["kind"] for one in listed} == {one["kind"] for one in documents}
        assert set(specs) <= set(KINDS)


async def test_the_last_word_counts_whoever_said_it() -> None:
    async with control(FRONT, CART, weighted(90, 10)) as plane:
        await plane.ask("PUT", WHERE, weighted(1, 1))
        listed = (await plane.ask("GET", "/v1/config?kind=HTTPRoute"))[1]["documents"]
        assert [(one["origin"], one["overFile"]) for one in listed] == [("api", True)]
        await plane.read_again({**FRONT, "spec": {**FRONT["spec"], "timeout": "3s"}}, CART, weighted(90, 10))
        assert _weights((await plane.ask("GET", WHERE))[1]) == [1, 1], "the file says of it what it said"
        await plane.read_again(FRONT, CART, weighted(80, 20))
        assert _weights((await plane.ask("GET", WHERE))[1]) == [80, 20], "the file says something new"
        await plane.ask("DELETE", WHERE)
        assert (await plane.ask("GET", WHERE))[0] == 404
        assert (await plane.ask("GET", "/v1/config"))[1]["deleted"] == ["HTTPRoute default/cart"]
        await plane.read_again(FRONT, CART, weighted(70, 30))
        assert _weights((await plane.ask("GET", WHERE))[1]) == [70, 30]


async def test_what_was_said_over_the_api_is_there_after_a_restart(tmp_path: Path) -> None:
    async with control(FRONT, CART, weighted(90, 10), state=tmp_path) as plane:
        await plane.ask("PUT", WHERE, weighted(1, 1))
    async with control(FRONT, CART, weighted(90, 10), state=tmp_path) as plane:
        assert plane.publisher.epoch == 2
        assert _weights((await plane.ask("GET", WHERE))[1]) == [1, 1]
    async with control(FRONT, CART, weighted(60, 40), state=tmp_path) as plane:
        assert plane.publisher.epoch == 3
        assert _weights((await plane.ask("GET", WHERE))[1]) == [60, 40], "edited while it was away"


async def test_any_epoch_can_be_gone_back_to() -> None:
    async with control(FRONT, CART, weighted(90, 10)) as plane:
        await plane.ask("PUT", WHERE, weighted(50, 50))
        await plane.ask("DELETE", WHERE)
        status, done = await plane.ask("POST", "/v1/rollback", {"epoch": 2})
        assert (status, done["epoch"]) == (200, 4)
        assert _weights((await plane.ask("GET", WHERE))[1]) == [50, 50]
        assert plane.in_force.versions[Key("HTTPRoute", "default", "cart")] == 4
        assert (await plane.ask("POST", "/v1/rollback", {"epoch": 1}))[1]["epoch"] == 5
        assert plane.in_force.overlaid.said == {}, "as the file has it"
        told = (await plane.ask("GET", "/v1/history/5"))[1]
        assert told["actor"].endswith("back to epoch 1")
        assert [(one["name"], one["verb"]) for one in told["documents"]] == [("cart", "changed")]
        assert (await plane.ask("POST", "/v1/rollback", {"epoch": 99}))[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", WHERE, b"", 400),
        ("PUT", WHERE, b"[1]", 400),
        ("PUT", WHERE, b'{"a": NaN}', 400),
        ("PUT", WHERE, b"[" * 100_000, 400),
        ("PUT", WHERE, b'"\\ud800"', 400),
        ("PUT", WHERE, b'{"kind": ["HTTPRoute"]}', 422),
        ("PUT", WHERE, b'{"kind": "HTTPRoute", "metadata": {"resourceVersion": "1"}}', 422),
        ("PUT", WHERE, json.dumps(weighted(1, 1, resourceVersion="x")).encode(), 400),
        ("PUT", WHERE, json.dumps(weighted(1, 1, resourceVersion="9" * 40)).encode(), 400),
        ("PUT", "/v1/config/HTTPRoute/default/other", json.dumps(weighted(1, 1)).encode(), 400),
        ("PUT", "/v1/config/Secret/default/x", b"{}", 404),
        ("POST", "/v1/config", b'{"apply": 1}', 400),
        ("POST", "/v1/config", b'{"delete": [{"kind": "Service"}]}', 400),
        ("POST", "/v1/config", b'{"more": []}', 400),
        ("POST", "/v1/rollback", b'{"epoch": true}', 400),
        ("POST", "/v1/rollback", b'{"epoch": 1e400}', 400),
        ("GET", "/v1/history?limit=-1", b"", 400),
        ("GET", "/v1/history/%D9%A1", b"", 400),
        ("GET", "/v1/config/Service/default/%00", b"", 404),
        ("DELETE", "/v1/config/Service/default/'%3B--", b"", 404),
        ("PUT", WHERE, b" " * (16 * 1024 * 1024 + 1), 413),
    ],
)
async def test_nonsense_is_answered(method: str, path: str, body: bytes, status: int) -> None:
    async with control(FRONT, CART) as plane:
        headers = {"Content-Type": "application/json"}
        async with plane.session.request(method, plane.url + path, data=BytesIO(body), headers=headers) as answer:
            assert answer.status == status, await answer.text()
        assert plane.publisher.epoch == 1


async def test_a_document_of_a_thousand_levels_is_refused_and_not_remembered() -> None:
    deep: Any = {}
    for _ in range(150):
        deep = {"a": deep}
    async with control(FRONT) as plane:
        bad = {**CART, "metadata": {**CART["metadata"], "labels": deep}}
        assert (await plane.ask("PUT", "/v1/config/Service/default/cart", bad))[0] == 422
        assert (await plane.ask("GET", "/v1/history"))[1]["epochs"][0]["epoch"] == 1


def _weights(route: dict[str, Any]) -> list[int]:
    return [backend["weight"] for backend in route["spec"]["rules"][0]["backendRefs"]]
