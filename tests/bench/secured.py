"""Pairs of proxies that encrypt to each other and prove both ends: ours as configured, and Envoys told the same."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import SubjectAlternativeName, UniformResourceIdentifier

from tests.bench import envoy, machine
from tests.bench.environment import Environment, started
from tests.bench.load import PIN as BESIDE
from tests.bench.peers import PIN, Peer, exported
from tests.bench.running import Running
from tests.world import meshes
from tests.world.identities import Issuer, spiffe_id
from tests.world.processes import free_port, get, until

_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"


@contextlib.contextmanager
def _ours(environment: Environment, http2: bool) -> Iterator[Running]:
    ports = {name: [free_port() for _ in range(3)] for name in ("front", "back")}
    services = [
        meshes.service(name, meshes.endpoint(f"{name}-1", environment.upstream(http2), sidecar=meshes.sidecar(*three)))
        for name, three in ports.items()
    ]
    telemetry = {"endpoint": f"http://127.0.0.1:{environment.sink}/v1/traces"}
    mesh = meshes.mesh("bench", telemetry=telemetry, authority={}, mtls="strict")
    path, key = meshes.write(environment.folder / "secured.yaml", mesh, *services), environment.folder / "node.key"
    port = free_port()
    control = [*BESIDE, sys.executable, "-m", "proxy.control", "-f", str(path), "--listen", f"127.0.0.1:{port}"]
    state = ["--state", str(environment.folder / "authority"), "--node-key", str(key)]
    with contextlib.ExitStack() as up:
        up.enter_context(started([*control, *state], port))
        until(key.exists, "the key of the node")
        pids = []
        for name, (_, _, admin) in ports.items():
            command = [*PIN, sys.executable, "-m", "proxy", "--instance", f"{name}-1", "--join", str(key)]
            command += ["--admin", f"127.0.0.1:{admin}", "--control", f"http://127.0.0.1:{port}"]
            pids.append(up.enter_context(started(command, admin)).pid)
        admins = [three[2] for three in ports.values()]
        until(lambda: all(get(f"http://127.0.0.1:{admin}/readyz")[0] == 200 for admin in admins), "certificates")
        yield Running(tuple(pids), ports["front"][1], lambda: sum(exported(admin) for admin in admins), host="back")


@contextlib.contextmanager
def envoys(environment: Environment, http2: bool, *, kept: bool = True) -> Iterator[tuple[Running, int]]:
    """Two of them, and the port of the called one; not `kept`: a new connection between them for each request."""
    issuer = Issuer()
    root = environment.folder / "root.pem"
    root.write_bytes(issuer.certificate.public_bytes(serialization.Encoding.PEM))
    served, asked, *admins = (free_port() for _ in range(4))
    more: dict[str, Any] = {"http2": http2, "sink": environment.sink}
    called = envoy.config(port=served, admin=admins[0], upstream=environment.upstream(http2), **more)
    caller = envoy.config(port=asked, admin=admins[1], upstream=served, **more)
    (listener,) = called["static_resources"]["listeners"]
    (chain,) = listener["filter_chains"]
    shown = _context(environment.folder, issuer, root, "back", "front")
    chain["transport_socket"] = _socket("DownstreamTlsContext", shown, require_client_certificate=True)
    shown = _context(environment.folder, issuer, root, "front", "back")
    cluster = caller["static_resources"]["clusters"][0]
    cluster["transport_socket"] = _socket("UpstreamTlsContext", shown)
    if not kept:
        cluster["max_requests_per_connection"] = 1
        cluster["transport_socket"]["typed_config"]["max_session_keys"] = 256  # one at a time could not be enough
    with contextlib.ExitStack() as up:
        pids = []
        for admin, config in zip(admins, (called, caller), strict=True):
            path = environment.folder / f"envoy-{admin}.json"
            path.write_text(json.dumps(config))
            flags = ["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]
            pids.append(up.enter_context(started([*PIN, machine.ENVOY, *flags, "-c", str(path)], admin)).pid)
        yield Running(tuple(pids), asked), served


@contextlib.contextmanager
def _envoys(environment: Environment, http2: bool) -> Iterator[Running]:
    with envoys(environment, http2) as (running, _):
        yield running


def _socket(kind: str, context: dict[str, Any], **more: Any) -> dict[str, Any]:
    typed = {"@type": f"{_TLS}.{kind}", "common_tls_context": context, **more}
    return {"name": "envoy.transport_sockets.tls", "typed_config": typed}


def _context(folder: Path, issuer: Issuer, root: Path, own: str, other: str) -> dict[str, Any]:
    """TLS 1.3 alone, an own certificate, and the one name that the other end must have."""
    files = dict(zip(("certificate_chain", "private_key"), written_identity(folder, issuer, own), strict=True))
    name = {"san_type": "URI", "matcher": {"exact": spiffe_id(other)}}
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificates": [{kind: {"filename": str(path)} for kind, path in files.items()}],
        "validation_context": {"trusted_ca": {"filename": str(root)}, "match_typed_subject_alt_names": [name]},
    }


def written_identity(folder: Path, issuer: Issuer, service: str) -> tuple[Path, Path]:
    """The certificate of a service and its key, as files in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = issuer.sign(key.public_key(), SubjectAlternativeName([UniformResourceIdentifier(spiffe_id(service))]))
    certificate, private = folder / f"{service}.pem", folder / f"{service}.key"
    certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return certificate, private


OURS_ENCRYPTED = Peer("two whymesh, mutual TLS, traced", _ours)
ENVOYS_ENCRYPTED = Peer("two Envoys, mutual TLS, traced", _envoys)
