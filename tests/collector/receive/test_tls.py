"""A collector with TLS, as SDKs meet it: certificates checked on both sides, renewed without a restart."""

from __future__ import annotations

import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from collector.errors import ConfigRefused
from collector.tls import Tls
from tests.world import otlp_requests as world
from tests.world.certificates import Authority
from tests.world.collectors import Collector, collector


@dataclass(frozen=True)
class Secured:
    served: Collector
    ca: Path
    client: tuple[Path, Path]
    stranger: tuple[Path, Path]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    certificate, key = authority.issue("collector")
    config = folder / "collector.yaml"
    config.write_text(
        f"tls: {{certificate: {certificate}, key: {key}, client_ca: {authority.ca}}}\n"
        "tenants: [{name: mesh, identities: ['spiffe://mesh.local/*']}]\n"
    )
    cart = authority.issue("cart", "spiffe://mesh.local/cart")
    stranger = authority.issue("stranger", "spiffe://elsewhere/cart")
    with collector(folder, "--config", str(config)) as served:
        yield Secured(served, authority.ca, cart, stranger)


def exporter(secured: Secured, kind: str, client: tuple[Path, Path]) -> SpanExporter:
    certificate, key = client
    if kind == "http":
        url = f"https://127.0.0.1:{secured.served.ports['http']}/v1/traces"
        return HttpExporter(url, str(secured.ca), str(key), str(certificate))
    credentials = grpc.ssl_channel_credentials(secured.ca.read_bytes(), key.read_bytes(), certificate.read_bytes())
    return GrpcExporter(f"127.0.0.1:{secured.served.ports['grpc']}", credentials=credentials)


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_an_sdk_sends_by_its_identity(secured: Secured, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # where set, they win over what the exporter is told
        monkeypatch.delenv(name, raising=False)
    provider = TracerProvider(resource=Resource({"service.name": f"secured-{kind}"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter(secured, kind, secured.client)))
    provider.get_tracer("app").start_span("step").end()
    provider.shutdown()
    secured.served.settle()
    stored = f"SELECT count() FROM otel.otel_traces WHERE ServiceName = 'secured-{kind}'"
    assert secured.served.query(stored) == [(1,)]


def post(secured: Secured, client: tuple[Path, Path] | None) -> int:
    """The status, 0 when the handshake fails."""
    context = ssl.create_default_context(cafile=str(secured.ca))
    if client is not None:
        context.load_cert_chain(*client)
    url = f"https://127.0.0.1:{secured.served.ports['http']}/v1/traces"
    body = world.request(world.span()).SerializeToString()
    request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf"})
    try:
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def test_others_are_turned_away(secured: Secured) -> None:
    assert [post(secured, client) for client in (secured.client, secured.stranger, None)] == [200, 401, 0]


def test_a_renewed_certificate_is_served_and_a_broken_one_is_not(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("collector")
    tls = Tls("tls", certificate, key, None)
    assert not tls.renew()
    authority.issue("collector")
    os.utime(certificate, ns=(1, 1))
    assert tls.renew()
    certificate.write_text("no certificate")
    os.utime(certificate, ns=(2, 2))
    assert not tls.renew()
    with pytest.raises(ConfigRefused, match="cannot be used"):
        Tls("tls", certificate, key, None)
    with pytest.raises(ConfigRefused, match=r"tls\.client_ca: .*absent: No such file"):
        Tls("tls", *authority.issue("collector"), tmp_path / "absent")
