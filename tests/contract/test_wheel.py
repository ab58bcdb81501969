"""The built wheel carries every part of every process, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """A wheel of this checkout, built as a release is."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(next(out.glob("whymesh-*.whl"))) as opened:
        yield opened


def test_it_is_one_wheel_for_every_python_from_3_11(wheel: zipfile.ZipFile) -> None:
    assert wheel.filename is not None
    assert "-cp311-abi3-" in wheel.filename


def test_only_the_five_packages_are_in_it(wheel: zipfile.ZipFile) -> None:
    folders = {name.split("/")[0] for name in wheel.namelist()}
    metadata = {folder for folder in folders if folder.startswith("whymesh-")}
    assert folders - metadata == {"proxy", "collector", "rootcause", "dashboards", "deploy"}


def test_every_module_schema_and_stub_of_the_checkout_is_in_it(wheel: zipfile.ZipFile) -> None:
    kinds = ("*.py", "*.sql", "*.pyi", "py.typed")
    packages = ("proxy", "collector", "rootcause", "dashboards", "deploy")
    expected = {
        str(path.relative_to(ROOT)) for package in packages for kind in kinds for path in (ROOT / package).rglob(kind)
    }
    expected |= {"dashboards/.streamlit/config.toml", "deploy/reasons.md"}
    assert expected - set(wheel.namelist()) == set()


def test_both_extensions_are_in_it_and_their_sources_are_not(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {"proxy/_engine.abi3.so", "collector/_columnar.abi3.so"} <= set(names)
    assert [name for name in names if name.endswith(".rs")] == []


def test_the_command_is_whymesh_and_a_sidecar_host_carries_little(wheel: zipfile.ZipFile) -> None:
    metadata = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
    entry = wheel.read(metadata.replace("METADATA", "entry_points.txt")).decode()
    assert "whymesh = deploy.cli:main" in entry
    required = [
        line.removeprefix("Requires-Dist: ").split(">")[0]
        for line in wheel.read(metadata).decode().splitlines()
        if line.startswith("Requires-Dist:") and "extra ==" not in line
    ]
    assert required == ["click"]
