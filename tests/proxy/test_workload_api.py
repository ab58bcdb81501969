"""An application gets the identity of its service over the SPIFFE Workload API, and each newer one."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tests.world.identities import spiffe_id
from tests.world.processes import get, running, until
from tests.world.secured_mesh import SecuredMesh

BYTES, STRING, MESSAGE = 12, 9, 11
HEADER = (("workload.spiffe.io", "true"),)


def _message(file: Any, name: str, fields: list[tuple[str, int, int, str]]) -> Any:
    message = file.message_type.add(name=name)
    for field, number, kind, of in fields:
        label = 1 if kind == STRING or (kind == BYTES and field != "crl") else 3
        message.field.add(name=field, number=number, type=kind, label=label, type_name=of or None)
    return message


def _messages() -> tuple[Any, Any]:
    """`X509SVIDResponse` and `X509BundlesResponse` as the standard's workloadapi.proto has them."""
    file = descriptor_pb2.FileDescriptorProto(name="workloadapi.proto", syntax="proto3")
    svid = [("spiffe_id", 1, STRING, ""), ("x509_svid", 2, BYTES, ""), ("x509_svid_key", 3, BYTES, "")]
    _message(file, "X509SVID", [*svid, ("bundle", 4, BYTES, ""), ("hint", 5, STRING, "")])
    _message(file, "X509SVIDResponse", [("svids", 1, MESSAGE, ".X509SVID"), ("crl", 2, BYTES, "")])
    entries = ("bundles", 2, MESSAGE, ".X509BundlesResponse.BundlesEntry")
    bundles = _message(file, "X509BundlesResponse", [("crl", 1, BYTES, ""), entries])
    entry = bundles.nested_type.add(name="BundlesEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=STRING, label=1)
    entry.field.add(name="value", number=2, type=BYTES, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    named = (pool.FindMessageTypeByName(name) for name in ("X509SVIDResponse", "X509BundlesResponse"))
    identities, believed = (message_factory.GetMessageClass(one) for one in named)
    return identities, believed


SVIDS, BUNDLES = _messages()


class Place:
    """A mesh, and the socket of the application of `back`."""

    def __init__(self, folder: Path) -> None:
        self.mesh = SecuredMesh(folder, 1)
        self.socket = folder / "app" / "spiffe.sock"

    def start(self) -> Any:
        options = ("--instance", "back-1", "--control", self.mesh.url, "--socket", str(self.socket))
        return running(
            "proxy.workload", *options, "--join", str(self.mesh.folder / "node.key"), log=self.mesh.folder / "api.log"
        )

    def acknowledge(self) -> None:
        """What the proxies do, which are not there: so that the new root signs."""
        before = self.mesh.authority()["roots"][0]["sha256"]

        def signs() -> bool:
            for one in json.loads(get(f"{self.mesh.url}/v1/status")[1])["proxies"]:
                acknowledged(self.mesh.control, one["name"], one["due"])
            active = next(one for one in self.mesh.authority()["roots"] if one["state"] == "active")
            return bool(active["sha256"] != before)

        until(signs, "the new root to sign")

    @contextlib.asynccontextmanager
    async def stream(self, method: str, of: Any, header: Any = HEADER) -> AsyncIterator[Any]:
        async with grpc.aio.insecure_channel(f"unix:{self.socket}") as channel:
            call = channel.unary_stream(f"/SpiffeWorkloadAPI/{method}", response_deserializer=of.FromString)
            yield call(b"", metadata=header, wait_for_ready=True, timeout=60)


def acknowledged(port: int, proxy: str, epoch: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", f"/v1/snapshots/{proxy}/ack", json.dumps({"epoch": epoch, "accepted": True}))
        assert connection.getresponse().status == 204


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    place.mesh.write(mtls="strict", authority={})
    with place.mesh.start_control() as control:
        await asyncio.to_thread(control.ready, f"{place.mesh.url}/readyz")
        with place.start():
            yield place


def of_one(response: Any) -> x509.Certificate:
    """The certificate of the only identity, which its key and its chain belong to."""
    (svid,) = response.svids
    assert svid.spiffe_id == spiffe_id("back")
    leaf, issuer = certificates(svid.x509_svid)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [svid.spiffe_id]
    key = load_der_private_key(svid.x509_svid_key, None).public_key()
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key.public_bytes(*form) == leaf.public_key().public_bytes(*form)
    leaf.verify_directly_issued_by(issuer)
    (root,) = [one for one in certificates(svid.bundle) if one.subject == issuer.issuer]
    issuer.verify_directly_issued_by(root)
    return leaf


def certificates(chain: bytes) -> list[x509.Certificate]:
    """Those that follow each other: each a SEQUENCE whose length has two bytes."""
    found = []
    while chain:
        assert chain[:2] == b"\x30\x82"
        end = 4 + int.from_bytes(chain[2:4], "big")
        found.append(x509.load_der_x509_certificate(chain[:end]))
        chain = chain[end:]
    return found


async def test_an_application_has_the_identity_of_its_service_and_each_newer_one(place: Place) -> None:
    async with place.stream("FetchX509SVID", SVIDS) as svids, place.stream("FetchX509Bundles", BUNDLES) as bundles:
        first = of_one(await svids.read())
        believed = await bundles.read()
        assert list(believed.bundles) == ["spiffe://mesh.local"]
        assert place.socket.stat().st_mode & 0o777 == 0o600
        await asyncio.to_thread(place.mesh.order, "deny", "back-1", "--reason", "stolen")
        shown = await asyncio.to_thread(place.mesh.authority)
        assert [one["identity"] for one in shown["denied"]] == [spiffe_id("back")], "that of its instance"
        (crl,) = (await bundles.read()).crl
        assert x509.load_der_x509_crl(crl).get_revoked_certificate_by_serial_number(first.serial_number)
        again = await svids.read()
        while of_one(again).serial_number == first.serial_number:  # with the list
            again = await svids.read()
        assert list(again.crl) == [crl]
        second = of_one(again)
        await asyncio.to_thread(place.mesh.order, "rotate", "root")
        more = await bundles.read()
        assert len(more.bundles["spiffe://mesh.local"]) > len(believed.bundles["spiffe://mesh.local"])
        await asyncio.to_thread(place.acknowledge)
        newer = await svids.read()
        while of_one(newer) == second:  # the other roots, with the certificate that it has
            newer = await svids.read()
        assert of_one(newer).issuer != second.issuer


async def test_a_call_that_is_not_meant_gets_nothing(place: Place) -> None:
    async with place.stream("FetchX509SVID", SVIDS, header=()) as call:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call.read()
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
