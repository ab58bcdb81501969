"""A proxy decides about real requests as `decide` says it would, whatever the policies and the requests are."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy._engine import Engine, decide
from proxy.snapshot import Inbound, Node, Snapshot, Workload
from proxy.snapshot.authorization import Authorization
from tests.world.processes import free_port

names = st.sampled_from(["front", "orders", "orders.shop", "admin"])
segments = st.sampled_from(["pay", "admin", "7", "a.b", "..", ".", "", "%61dmin", "pay;x=1", "a%2Fb", "{id}"])
paths = st.lists(segments, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
methods = st.sampled_from(["GET", "POST", "DELETE"])
patterns = st.sampled_from(
    [
        "*",
        "spiffe://mesh.local/ns/default/sa/front",
        "spiffe://mesh.local/ns/*/sa/orders",
        "spiffe://mesh.local/ns/shop/sa/*",
        "spiffe://other/ns/*/sa/*",
    ]
)
asked = st.fixed_dictionaries(
    {},
    optional={
        "method": methods,
        "path": st.fixed_dictionaries(
            {"kind": st.sampled_from(["exact", "prefix", "template"]), "value": paths.filter(lambda at: "%" not in at)}
        ),
        "headers": st.lists(
            st.fixed_dictionaries({"name": st.just("x-role"), "value": st.sampled_from(["a", "b"])}), max_size=1
        ),
    },
)
rules = st.fixed_dictionaries(
    {"name": st.sampled_from(["p/0", "p/1", "p/2"])},
    optional={
        "callers": st.lists(patterns, max_size=2),
        "matches": st.lists(asked, max_size=2),
        "ports": st.lists(st.sampled_from([80, 81]), max_size=2),
        "claims": st.just([]),
    },
)
policies = st.fixed_dictionaries(
    {"name": st.just("p"), "rules": st.lists(rules, max_size=3)},
    optional={"action": st.sampled_from(["allow", "deny"]), "audit": st.booleans()},
)
requests = st.fixed_dictionaries(
    {"source": st.none() | names, "method": methods, "path": paths, "role": st.none() | st.sampled_from(["a", "b"])}
)


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - http.server looks for these names

    def log_message(self, *_: Any) -> None: ...


class Deciding:
    """An engine beside an application that answers 200 to everything."""

    def __init__(self, application: str) -> None:
        self._address = f"127.0.0.1:{free_port()}"
        self._inbound = Inbound(listen=self._address, app=application)
        self._epoch = 1
        self.engine = Engine(self._snapshot(None).model_dump_json())
        self._connection = http.client.HTTPConnection(self._address, timeout=10)

    def _snapshot(self, authorization: Authorization | None) -> Snapshot:
        node = Node(service="back", version="v1", instance="back-1")
        workload = Workload(node=node, inbound=self._inbound, authorization=authorization)
        return Snapshot(epoch=self._epoch, workloads=(workload,))

    def go_by(self, authorization: Authorization) -> None:
        self._epoch += 1
        self.engine.apply(self._snapshot(authorization).model_dump_json())

    def answer(self, request: dict[str, Any]) -> tuple[bool, str]:
        """Whether the application got the request, and the code if not."""
        headers = {"x-role": request["role"]} if request["role"] else {}
        if request["source"]:
            headers["x-mesh-source"] = f"{request['source']}/v1/one"
        self._connection.request(request["method"], request["path"], headers=headers)
        response = self._connection.getresponse()
        response.read()
        return response.status == 200, response.headers.get("mesh-reason", "")


@pytest.fixture(scope="module")
def deciding() -> Iterator[Deciding]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
    thread = Thread(target=server.serve_forever)
    thread.start()
    made = Deciding(f"127.0.0.1:{server.server_address[1]}")
    try:
        yield made
    finally:
        made._connection.close()
        made.engine.drain(1)
        server.shutdown()
        thread.join()
        server.server_close()


def question(request: dict[str, Any]) -> dict[str, Any]:
    name, _, namespace = (request["source"] or "").partition(".")
    caller = f"spiffe://mesh.local/ns/{namespace or 'default'}/sa/{name}" if name else None
    headers = [["x-role", request["role"]]] if request["role"] else []
    return {"caller": caller, "port": 80, "method": request["method"], "path": request["path"], "headers": headers}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(policies, min_size=1, max_size=3), st.lists(requests, min_size=1, max_size=6))
def test_the_proxy_and_the_check_decide_alike(
    deciding: Deciding, written: list[dict[str, Any]], made: list[dict[str, Any]]
) -> None:
    part = Authorization.model_validate(
        {"service": "back", "ports": [80], "believed": "mesh.local", "policies": written}
    )
    deciding.go_by(part)
    for request in made:
        decided = json.loads(decide(part.model_dump_json(), json.dumps(question(request))))
        assert deciding.answer(request) == (decided["allowed"], decided["reason"]), (request, decided)
