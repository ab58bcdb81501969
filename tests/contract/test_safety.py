"""What keeps bytes from outside harmless cannot be left out by mistake: no unsafe Rust, and every parser is fuzzed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CRATES = ("proxy/engine", "collector/columnar")
UNSAFE_AFTER_REVIEW = {
    "proxy/engine/tests/allocations.rs": "an allocator for one test that counts and passes every call on as it came",
}
"""Rust files that may hold unsafe code, each with why it is sound and who needs it."""


def manifest(folder: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / folder / "Cargo.toml").read_text())


def test_unsafe_code_is_denied_and_only_reviewed_files_lift_that() -> None:
    assert manifest(".")["workspace"]["lints"]["rust"]["unsafe_code"] == "deny"
    assert sorted(manifest(".")["workspace"]["members"]) == sorted(CRATES)
    assert all(manifest(crate)["lints"]["workspace"] for crate in CRATES)
    sources = [file for crate in CRATES for file in (ROOT / crate).rglob("*.rs")]
    assert sources
    lifting = {str(file.relative_to(ROOT)) for file in sources if "unsafe" in _code(file)}
    assert lifting == UNSAFE_AFTER_REVIEW.keys()


def _code(file: Path) -> str:
    return re.sub(r"//[^\n]*", "", file.read_text())


def functions(crate: str) -> set[str]:
    return set(re.findall(r"^pub fn (\w+)\(bytes: &\[u8\]\)", (ROOT / crate / "src/fuzz.rs").read_text(), re.M))


def held(crate: str) -> set[str]:
    return set(re.findall(r"^    (\w+): [\d_]+,$", (ROOT / crate / "src/fuzz/tests.rs").read_text(), re.M))


def test_each_promise_is_fuzzed_and_part_of_the_tests() -> None:
    promised = functions("proxy/engine") | functions("collector/columnar")
    assert len(promised) >= 13
    assert all(functions(crate) == held(crate) for crate in CRATES)
    assert {one["name"] for one in manifest("fuzz")["bin"]} == promised
    assert {file.stem for file in (ROOT / "fuzz/fuzz_targets").iterdir()} == promised
    assert {folder.name for folder in (ROOT / "fuzz/corpus").iterdir() if any(folder.iterdir())} == promised


def test_each_target_is_described() -> None:
    text = (ROOT / "docs/safety.md").read_text()
    listed = set(re.findall(r"^\| `(\w+)` \|", text, re.M))
    assert listed == functions("proxy/engine") | functions("collector/columnar")
