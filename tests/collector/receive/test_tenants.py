"""Who may send is known by token or identity, and each may send so much."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from collector.errors import ConfigRefused, OverQuota, Unauthenticated
from collector.receive.otlp_http import PROTOBUF
from collector.receive.tenants import BURST_S, Tenants, Terms, read_terms
from tests.collector.receive.test_otlp_http import BODY, post
from tests.collector.receiving import Receiving, receiving
from tests.world import otlp_requests as world

SHOP = Terms("shop", sha256(b"secret").digest())
MESH = Terms("mesh", identities=("spiffe://mesh.local/*",))
SLOW = Terms("slow", sha256(b"slow").digest(), bytes_per_s=100)


@pytest.mark.parametrize(
    ("authorization", "identities", "name"),
    [
        ("Bearer secret", [], "shop"),
        ("bearer  secret ", [], "shop"),
        (None, ["spiffe://mesh.local/cart"], "mesh"),
        ("Bearer wrong", ["https://x", "spiffe://mesh.local/cart"], "mesh"),
    ],
)
def test_who_is_admitted(authorization: str | None, identities: list[str], name: str) -> None:
    assert Tenants([SHOP, MESH]).admit(authorization, identities).terms.name == name


@pytest.mark.parametrize(
    ("authorization", "identities", "why"),
    [
        (None, [], "send `Authorization: Bearer`"),
        ("Bearer", [], "the token is not one"),
        ("Bearer wrong", [], "the token is not one"),
        ("Basic secret", [], "send `Authorization: Bearer`"),
        (None, ["spiffe://other/cart"], "send `Authorization: Bearer`"),
    ],
)
def test_who_is_not(authorization: str | None, identities: list[str], why: str) -> None:
    with pytest.raises(Unauthenticated, match=why):
        Tenants([SHOP, MESH]).admit(authorization, identities)


def test_without_tenants_anyone_may_send() -> None:
    assert Tenants([]).admit(None, []).terms.name == "anyone"


def test_a_tenant_sends_no_more_than_its_rate() -> None:
    ticks: Iterator[float] = iter([0, 0, 0, 0, 5, 20])
    (tenant,) = Tenants([SLOW], lambda: next(ticks)).all
    tenant.spend(int(100 * BURST_S) + 900)
    with pytest.raises(OverQuota, match="slow may send 100 bytes a second: try again in 9 s") as caught:
        tenant.spend(1)
    assert caught.value.retry_after_s == 9
    with pytest.raises(OverQuota, match="4 s"):
        tenant.spend(1)
    tenant.spend(50)
    assert tenant.bytes == 1950


def test_tokens_come_from_files(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("secret\n")
    assert read_terms("shop", path, (), None) == SHOP
    path.write_text("\n")
    with pytest.raises(ConfigRefused, match="is empty"):
        read_terms("shop", path, (), None)
    with pytest.raises(ConfigRefused, match="No such file"):
        read_terms("shop", tmp_path / "absent", (), None)


@pytest.fixture
async def parts() -> Iterator[Receiving]:  # type: ignore[misc]
    async with receiving(tenants=[SHOP, SLOW]) as parts:
        yield parts


async def test_over_http(parts: Receiving) -> None:
    url = f"{parts.http}/v1/traces"
    refused = await post(url, BODY)
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "Authorization: Bearer" in refused.status_message().message
    assert (await post(url, BODY, PROTOBUF, Authorization="Bearer secret")).status == 200
    assert (await post(url, b"x" * 5_000, PROTOBUF, Authorization="Bearer slow")).status != 429
    over = await post(url, BODY, PROTOBUF, Authorization="Bearer slow")
    assert (over.status, int(over.headers["Retry-After"]) > 30) == (429, True)
    assert (parts.refused("traces", "unauthenticated"), parts.refused("traces", "over_quota")) == (1, 1)


async def test_over_grpc(parts: Receiving) -> None:
    async with grpc.aio.insecure_channel(parts.grpc) as channel:
        stub, request = TraceServiceStub(channel), world.request(world.span())
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Export(request)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        await stub.Export(request, metadata=(("authorization", "Bearer secret"),))
        large = world.request(*(world.span() for _ in range(100)))
        await stub.Export(large, metadata=(("authorization", "Bearer slow"),))
        with pytest.raises(grpc.aio.AioRpcError) as over:
            await stub.Export(request, metadata=(("authorization", "Bearer slow"),))
        assert over.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        details = dict(over.value.trailing_metadata() or ())["grpc-status-details-bin"]
        assert Status.FromString(details).details[0].Is(RetryInfo.DESCRIPTOR), "so that it is tried again"
    assert parts.rows == 101
