"""Configuration on disk: what is taken, and how a mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.control.documents import KINDS, TrafficPolicy
from proxy.control.errors import ConfigRefused
from proxy.control.reading.read import load
from proxy.control.registry import register
from tests.world import meshes


def refusal(path: Path) -> list[str]:
    with pytest.raises(ConfigRefused) as refused:
        register(load(path))
    return [mistake.replace(str(path.parent) + "/", "") for mistake in refused.value.mistakes]


def test_a_file_of_many_documents_is_taken(tmp_path: Path) -> None:
    path = meshes.write(
        tmp_path / "mesh.yaml",
        meshes.mesh("shop", telemetry={"endpoint": "http://127.0.0.1:4318/v1/traces", "flush": "250ms"}),
        meshes.service("front", meshes.endpoint("front-1"), timeout="1.5s", connectTimeout="200ms"),
        meshes.service("cart", meshes.endpoint("cart-1")),
    )
    configuration = load(path)
    assert configuration.mesh.spec.telemetry.flush == 250
    front = register(configuration).services[0].spec
    assert (front.timeout, front.connect_timeout) == (1500, 200)
    assert [s.full_name for s in configuration.documents] == ["front", "cart"]


def test_a_folder_is_read_in_order_of_names(tmp_path: Path) -> None:
    meshes.write(tmp_path / "b.yaml", meshes.service("b", meshes.endpoint("b-1")))
    meshes.write(tmp_path / "a.yml", meshes.service("a", meshes.endpoint("a-1"), namespace="team"))
    (tmp_path / "notes.txt").write_text("kind: not read")
    assert [s.full_name for s in load(tmp_path).documents] == ["a.team", "b"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"timeuot": "1s"}, "spec.timeuot: unknown key; did you mean timeout?"),
        ({"timeout": "1x"}, "spec.timeout: expected a duration such as 300ms, 15s or 1m30s (got '1x')"),
        ({"timeout": "48h"}, "spec.timeout: expected a duration between 1ms and 24h (got '48h')"),
        ({"port": 0}, "spec.port: input should be greater than 0 (got 0)"),
        (
            {"protocol": "http3"},
            "spec.protocol: input should be 'http1', 'http2', 'tcp', 'tls' or 'detect' (got 'http3')",
        ),
        (
            {"endpoints": [{"instance": "a-1", "app": "unix:app.sock"}]},
            "spec.endpoints[0].app: expected unix: and an absolute path of at most 107 bytes (got 'unix:app.sock')",
        ),
        (
            {"endpoints": [{"instance": "a-1", "app": "unix:/run/app.sock"}]},
            "spec.endpoints[0]: app: a Unix socket is reached through a sidecar only; give this instance one",
        ),
        (
            {"endpoints": [{"instance": "a-1", "app": "127.0.0.1"}]},
            "spec.endpoints[0].app: expected host:port with a port between 1 and 65535, "
            "such as 127.0.0.1:8080 or [::1]:8080 (got '127.0.0.1')",
        ),
        ({"endpoints": [{"instance": "a-1"}]}, "spec.endpoints[0].app: field required"),
    ],
)
def test_a_mistake_is_named_with_its_path(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = meshes.write(tmp_path / "mesh.yaml", meshes.service("good"), meshes.service("a") | {"spec": change})
    assert refusal(path) == [f"mesh.yaml: document 2 (Service a): {said}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1,\nb: 2", "mesh.yaml: is not YAML: line 2, column 5: expected ',' or ']', but got '<stream end>'"),
        ("- 1", "mesh.yaml: document 1: expected a mapping with apiVersion, kind, metadata and spec"),
        (
            "kind: Pod",
            f"mesh.yaml: document 1: kind: 'Pod' is not a kind of this mesh; known: {', '.join(KINDS)}",
        ),
        ("", "mesh.yaml: no Service in it: a mesh needs at least one"),
    ],
)
def test_what_is_no_configuration_at_all(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mesh.yaml"
    path.write_text(text)
    assert refusal(path) == [said]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "mesh.yaml") == ["mesh.yaml: cannot be read: No such file or directory"]


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_bytes(b"\xff\xfe\x00")
    assert refusal(tmp_path / "mesh.yaml") == ["mesh.yaml: is not UTF-8 text"]


def test_what_is_claimed_twice_is_refused(tmp_path: Path) -> None:
    path = meshes.write(
        tmp_path / "mesh.yaml",
        meshes.service("a", meshes.endpoint("x-1", sidecar=meshes.sidecar(1, 2, 3))),
        meshes.service("b", meshes.endpoint("x-1", sidecar=meshes.sidecar(4, 2, 5))),
    )
    assert refusal(path) == [
        "instance x-1 is claimed twice: by a/x-1 and by b/x-1",
        "address 127.0.0.1:2 is claimed twice: by x-1.sidecar.outbound and by x-1.sidecar.outbound",
    ]


def test_an_application_cannot_listen_where_its_sidecar_does(tmp_path: Path) -> None:
    side = meshes.sidecar(18_001, 2, 3)
    path = meshes.write(tmp_path / "mesh.yaml", meshes.service("a", meshes.endpoint("a-1", 18_001, sidecar=side)))
    assert refusal(path) == ["address 127.0.0.1:18001 is claimed twice: by a-1.app and by a-1.sidecar.inbound"]


def test_a_document_cannot_be_written_twice(tmp_path: Path) -> None:
    path = meshes.write(tmp_path / "mesh.yaml", meshes.service("a"), meshes.service("a"))
    assert refusal(path)[0] == "Service a is written 2 times"


def test_two_services_cannot_answer_to_one_name(tmp_path: Path) -> None:
    path = meshes.write(tmp_path / "mesh.yaml", meshes.service("a"), meshes.service("a.default"))
    assert refusal(path)[0] == "authority a.default is claimed twice: by a and by a.default"


@pytest.mark.parametrize(
    ("telemetry", "problem"),
    [
        ({"spool": {"quota": "10KiB"}}, "spec.telemetry.spool.quota: must be 0 (off) or at least 1048576 bytes"),
        ({"spool": {"quota": "lots"}}, "spec.telemetry.spool.quota: expected a number of bytes, or a size"),
        ({"budget": 1}, "spec.telemetry.budget: must be 0 (off) or at least 10000 bytes"),
        ({"compression": "brotli"}, "spec.telemetry.compression: "),
    ],
)
def test_a_mistake_in_telemetry_is_named(tmp_path: Path, telemetry: dict[str, object], problem: str) -> None:
    (mistake,) = refusal(meshes.write(tmp_path / "mesh.yaml", meshes.mesh(telemetry=telemetry), meshes.service("a")))
    assert problem in mistake


def test_telemetry_goes_over_plain_http(tmp_path: Path) -> None:
    mesh = meshes.mesh(telemetry={"endpoint": "https://127.0.0.1:4318/v1/traces"})
    path = meshes.write(tmp_path / "mesh.yaml", mesh, meshes.service("a"))
    assert refusal(path) == [
        "mesh.yaml: document 1 (Mesh test): spec.telemetry.endpoint: URL scheme should be 'http' "
        "(got 'https://127.0.0.1:4318/v1/traces')"
    ]


@pytest.mark.parametrize("size", ["8 MiB", "8MB", "MiB", -1, 1.5, True])
def test_sizes_have_one_form(tmp_path: Path, size: object) -> None:
    path = meshes.write(tmp_path / "mesh.yaml", meshes.mesh(limits={"bodyBytes": size}), meshes.service("a"))
    (mistake,) = refusal(path)
    assert mistake.startswith("mesh.yaml: document 1 (Mesh test): spec.limits.bodyBytes: ")
    assert "64KiB" in mistake


def test_every_mistake_is_listed_at_once(tmp_path: Path) -> None:
    path = meshes.write(tmp_path / "mesh.yaml", meshes.service("a", prot=1), meshes.service("b", tiemout="1s"))
    assert len(refusal(path)) == 2


def test_on_and_no_are_words(tmp_path: Path) -> None:
    """Unquoted, as docs/config.md writes them; YAML 1.1 takes them for booleans."""
    policy = """
apiVersion: whymesh.io/v1alpha1
kind: TrafficPolicy
metadata: {name: no}
spec:
  targetRef: {name: card}
  retry: {on: [connect]}
  outlier: {successRate: false}
"""
    written = meshes.write(tmp_path / "mesh.yaml", meshes.service("card", meshes.endpoint("card-1")))
    written.write_text(f"{written.read_text()}---{policy}")
    _, found = load(written).documents
    assert isinstance(found, TrafficPolicy)
    assert (found.metadata.name, found.spec.retry and found.spec.retry.on) == ("no", ("connect",))
    assert found.spec.outlier
    assert found.spec.outlier.success_rate is False
