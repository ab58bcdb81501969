"""Who may ask what: decided beside the application, told in full to the known only, and on the span in any case."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc
import pytest

from proxy._engine import SnapshotRefused
from proxy.snapshot.authorization import AccessPolicy, AccessRule, Authorization
from proxy.snapshot.gate import Asked
from proxy.snapshot.routes import PathMatch
from tests.proxy.engine.conftest import Pair
from tests.world import grpc_apps
from tests.world.apps import dial, talker
from tests.world.engines import Sidecar, sidecar
from tests.world.otlp_sink import OtlpSink

FRONT = "spiffe://mesh.local/ns/default/sa/front"
PAY = Asked(method="POST", path=PathMatch(kind="prefix", value="/pay"))
PAYS = AccessRule(name="back/pays", callers=(FRONT,), matches=(PAY,))


def allow(*rules: AccessRule, **more: Any) -> AccessPolicy:
    return AccessPolicy(name="back", rules=rules, **more)


async def guard(back: Sidecar, *policies: AccessPolicy, believed: str | None = "mesh.local") -> None:
    """Has the proxy decide by these policies; callers are who their header says."""
    part = Authorization(service="back", ports=(80,), believed=believed, policies=policies)
    await back.change(authorization=part)


async def ask(pair: Pair, method: str = "GET", path: str = "/") -> tuple[int, str, str]:
    async with pair.call(path, method) as response:
        return response.status, response.headers.get("mesh-reason", ""), await response.text()


def counted(back: Sidecar, name: str) -> dict[str, int]:
    found: list[dict[str, int]] = [one["values"] for one in back.stats()["policies"] if one["name"] == name]
    return found[0]


async def test_what_no_rule_allows_is_denied_and_the_nearest_is_named(pair: Pair, sink: OtlpSink) -> None:
    await guard(pair.back, allow(PAYS))
    assert (await ask(pair, "POST", "/pay/1"))[0] == 200
    status, reason, text = await ask(pair, "GET", "/pay/1")
    assert (status, reason) == (403, "not_allowed")
    assert "back: back/pays: request GET /pay/1, not POST /pay" in text
    _, denied = await sink.wait(2, "back")
    assert (denied["mesh.reason"], denied["mesh.policy"]) == ("not_allowed", "back/pays")
    assert denied["mesh.policy.missed"] == "request GET /pay/1, not POST /pay"
    assert (denied["http.response.status_code"], denied.error) == (403, False)
    _, client = await sink.wait(2, "front")
    assert client["mesh.reason"] == "not_allowed"
    assert counted(pair.back, "") == {"allowed": 1, "denied": 1, "would_deny": 0}
    assert counted(pair.back, "back/pays") == {"allowed": 1}
    assert pair.back.stats()["refused"]["not_allowed"] == 1


async def test_a_stranger_is_told_that_it_may_not_and_nothing_else(pair: Pair, sink: OtlpSink) -> None:
    await guard(pair.back, allow(PAYS), believed=None)
    status, reason, text = await ask(pair, "POST", "/pay")
    assert (status, reason) == (403, "not_allowed"), "without a certificate a header is a claim and no more"
    assert "(back)" in text
    assert "pays" not in text
    (span,) = await sink.wait(1, "back")
    assert span["mesh.policy"] == "back/pays"
    assert span["mesh.policy.missed"] == f"caller without identity, not {FRONT}"


async def test_a_rule_that_denies_counts_before_those_that_allow(pair: Pair, sink: OtlpSink) -> None:
    admin = AccessRule(name="no/admin", matches=(Asked(path=PathMatch(kind="prefix", value="/admin")),))
    deny = AccessPolicy(name="no", action="deny", rules=(admin,))
    await guard(pair.back, allow(AccessRule(name="back/all")), deny)
    assert (await ask(pair, path="/shop"))[0] == 200
    status, reason, text = await ask(pair, path="/admin/users")
    assert (status, reason) == (403, "policy_denied")
    assert "back: no/admin" in text
    spans = await sink.wait(2, "back")
    assert spans[1]["mesh.policy"] == "no/admin"
    assert "mesh.policy.missed" not in spans[1].attributes
    assert counted(pair.back, "no/admin") == {"denied": 1}


async def test_audit_lets_pass_what_it_would_deny(pair: Pair, sink: OtlpSink) -> None:
    await guard(pair.back, allow(PAYS, audit=True))
    assert (await ask(pair))[0] == 200
    assert (await ask(pair, "POST", "/pay"))[0] == 200
    odd, fine = await sink.wait(2, "back")
    assert (odd["mesh.policy.audit"], odd["mesh.policy"]) == ("not_allowed", "back/pays")
    assert "mesh.reason" not in odd.attributes
    assert "mesh.policy" not in fine.attributes
    assert counted(pair.back, "") == {"allowed": 1, "denied": 0, "would_deny": 1}


async def test_policies_take_effect_on_open_connections_and_go(pair: Pair) -> None:
    assert (await ask(pair))[0] == 200
    await guard(pair.back, allow())
    status, _, text = await ask(pair)
    assert status == 403
    assert "there is no rule that allows anything" in text
    await pair.back.change(authorization=None)
    assert (await ask(pair))[0] == 200
    assert pair.back.stats()["policies"] == []


async def test_a_call_of_grpc_is_told_by_its_code(sink: OtlpSink) -> None:
    inbound = {"protocol": "http2"}
    async with (
        grpc_apps.grpc_app() as address,
        sidecar("back", app=address, inbound=inbound, telemetry=sink.url) as back,
        grpc_apps.channel(back.inbound, "back") as channel,
    ):
        add = Asked(path=PathMatch(kind="exact", value=f"/{grpc_apps.SERVICE}/Add"))
        await guard(back, allow(AccessRule(name="back/add", matches=(add,))))
        assert await grpc_apps.add(channel, b"x") == b"x"
        with pytest.raises(grpc.aio.AioRpcError) as denied:
            await grpc_apps.watch(channel, b"1")
    assert denied.value.code() is grpc.StatusCode.PERMISSION_DENIED
    spans = await sink.wait(2, "back")
    assert spans[1]["rpc.response.status_code"] == "PERMISSION_DENIED"
    assert spans[1]["mesh.policy"] == "back/add"


async def test_a_connection_that_is_not_http_is_decided_by_port_and_caller(sink: OtlpSink) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(100)).upper())
        await writer.drain()

    async def said(address: str) -> bytes:
        async with dial(address) as (reader, writer):
            with contextlib.suppress(ConnectionError):
                writer.write(b"hello")
                return await reader.read(100)
        return b""

    async with (
        talker(shout) as address,
        sidecar("back", app=address, inbound={"protocol": "tcp"}, telemetry=sink.url) as back,
    ):
        await guard(back, allow(AccessRule(name="back/port", ports=(80,))))
        assert await said(back.inbound) == b"HELLO"
        await guard(back, allow(PAYS))
        assert await said(back.inbound) == b""
    spans = await sink.wait(2, "back")
    assert spans[1]["mesh.reason"] == "not_allowed"
    assert spans[1]["mesh.policy.missed"].startswith(f"caller without identity, not {FRONT}; request a connection")


async def test_what_is_no_policy_is_refused_and_the_last_one_stays(pair: Pair) -> None:
    await guard(pair.back, allow())
    sound = pair.back.snapshot.model_dump_json()
    broken = sound.replace('"rules":[]', '"rules":[{"name":"x","callers":["front"]}]')
    with pytest.raises(SnapshotRefused, match=r"rules\[0\]\.callers\[0\]"):
        pair.back.engine.apply(broken)
    assert (await ask(pair))[0] == 403
