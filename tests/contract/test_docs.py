"""What the documents name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if path.is_file())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    missing = [t for t in targets if "://" not in t and not (document.parent / t).exists()]
    assert missing == []


def test_every_decision_is_listed() -> None:
    listed = set(re.findall(r"\((\d{3}-[a-z0-9-]+\.md)\)", (ROOT / "docs/adr/README.md").read_text()))
    assert listed == {path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md")}


def test_every_make_target_the_documents_name_exists() -> None:
    named = {
        target for document in DOCUMENTS for target in re.findall(r"(?:^|`)make ([a-z]+)", document.read_text(), re.M)
    }
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert named
    assert named <= targets


def test_every_mesh_attribute_of_the_engine_is_described() -> None:
    from proxy._engine import ATTRIBUTES

    text = (ROOT / "docs/telemetry.md").read_text()
    described = set(re.findall(r"`(mesh\.[a-z_.]+)`", text))
    for base in ("mesh.source", "mesh.destination"):
        described |= {f"{base}.version", f"{base}.instance"}
    assert set(ATTRIBUTES) <= described


def test_every_table_is_described() -> None:
    text = (ROOT / "docs/telemetry.md").read_text()
    made = [p for p in (ROOT / "collector/store/sql").glob("*.sql") if "ALTER TABLE" not in p.read_text()]
    tables = {p.stem for p in made if not p.stem.endswith("_mv")}
    assert {t for t in tables if f"`{t}`" not in text} == set()


def test_every_field_of_the_mesh_configuration_is_described() -> None:
    from proxy.control.documents import KINDS

    text = (ROOT / "docs/config.md").read_text()
    parents = {"telemetry", "batch", "recorder", "spool", "alerts", "endpoints", "sidecar", "run", "listeners"}
    parents |= {"outbound", "authorization", "authority", "issuers", "claimHeaders"}
    parents |= {"rules", "matches", "filters", "backendRefs", "timeouts", "sessionPersistence"}
    parents |= {"delay", "abort", "rateLimits", "shedding", "priority"}
    parents |= {"addresses", "namespaces", "from"}
    parents |= {"balancer", "breaker", "retry", "backoff", "budget", "hedge"}

    def described(field: str) -> bool:
        return bool(re.search(rf"`(spec\.[\w.\[\]]*)?{field}(\[\])?`", text))

    fields = {
        field
        for kind in KINDS.values()
        for name, part in kind.model_json_schema(by_alias=True)["$defs"].items()
        if name != "Metadata"
        for field in part.get("properties", {})
    }
    assert {field for field in fields - parents if not described(field)} == set()


def test_the_example_configuration_is_one(tmp_path: Path) -> None:
    from proxy.control.reading.read import load
    from proxy.control.registry import register

    examples = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    (tmp_path / "mesh.yaml").write_text("\n---\n".join(examples))
    kinds = {document.kind for document in register(load(tmp_path)).documents}
    assert kinds == {"Service", "HTTPRoute", "TrafficPolicy"}


def test_the_examples_of_gateways_are_ones_that_proxies_take(tmp_path: Path) -> None:
    from proxy import _engine
    from proxy.control.compile import compile_snapshot
    from proxy.control.reading.read import load
    from proxy.control.registry import register
    from tests.world import meshes

    section = (ROOT / "docs/config.md").read_text().split("\n## Gateway\n")[1].split("\n## ")[0]
    examples = re.findall(r"```yaml\n(.*?)```", section, re.S)
    services = [
        meshes.service(name, meshes.endpoint(f"{name}-1", place)) for place, name in enumerate(("orders", "web"), 1)
    ]
    written = meshes.write(tmp_path / "mesh.yaml", *services)
    written.write_text(written.read_text() + "---\n" + "\n---\n".join(examples))
    registry = register(load(written))
    for name in ("shop-edge", "exit"):
        assert _engine.check(compile_snapshot(registry, name, 1).model_dump_json()) == 1
    snapshot = compile_snapshot(registry, "shop-edge", 1)
    gateway = snapshot.workloads[0].gateway
    assert gateway
    assert {door.listen: [host.host for host in door.hosts] for door in gateway.doors} == {
        "0.0.0.0:8080": ["shop.example.com", "*.status.example.com", "*.example.com"],
        "0.0.0.0:8081": ["*.status.example.com"],
        "0.0.0.0:8443": ["shop.example.com", "*.status.example.com", "*.example.com"],
    }


def test_every_example_of_graceful_degradation_is_one_that_proxies_take(tmp_path: Path) -> None:
    from proxy import _engine
    from proxy.control.compile import compile_snapshot
    from proxy.control.reading.read import load
    from proxy.control.registry import register
    from tests.world import meshes

    section = (ROOT / "docs/config.md").read_text().split("\n## Graceful degradation\n")[1].split("\n## ")[0]
    examples = re.findall(r"### ([^\n]+)\n.*?```yaml\n(.*?)```", section, re.S)
    assert len(examples) == section.count("### ") == section.count("```yaml")
    names = ("orders", "report")
    services = [
        meshes.service(name, meshes.endpoint(f"{name}-1", sidecar=meshes.sidecar(place, place + 1, place + 2)))
        for place, name in zip((1, 4), names, strict=True)
    ]
    without = register(load(meshes.write(tmp_path / "without.yaml", *services)))
    for title, example in examples:
        written = meshes.write(tmp_path / "mesh.yaml", *services)
        written.write_text(written.read_text() + "---\n" + example)
        registry = register(load(written))
        made = {name: compile_snapshot(registry, f"{name}-1", 1) for name in names}
        for snapshot in made.values():
            assert _engine.check(snapshot.model_dump_json()) == 1, title
        assert any(made[name] != compile_snapshot(without, f"{name}-1", 1) for name in names), (
            f"{title}: changes nothing"
        )
