"""Who may import the two extensions: import-linter reads Python sources only and cannot see them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_ENGINE_ROOMS = {
    "proxy/anchors.py",
    "proxy/sidecar.py",
    "proxy/identities.py",
    "proxy/saved_identity.py",
    "proxy/control/policies/check.py",
    "proxy/control/policies/replay.py",
    *(f"proxy/control/documents/{name}.py" for name in ("expression", "key_set")),
}


def imported(file: Path) -> Iterator[str]:
    """Every module a file imports, `from a import b` as `a` and `a.b`."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    ("extension", "rooms"),
    [
        ("proxy._engine", _ENGINE_ROOMS),
        ("collector._columnar", {"collector"}),
    ],
)
def test_an_extension_is_imported_only_where_it_belongs(extension: str, rooms: set[str]) -> None:
    users = {
        str(file.relative_to(ROOT))
        for package in ("proxy", "collector", "rootcause", "dashboards", "deploy")
        for file in (ROOT / package).rglob("*.py")
        if extension in imported(file)
    }
    assert users
    assert {user for user in users if not any(user == room or user.startswith(f"{room}/") for room in rooms)} == set()
