"""The sidecar's process stays small: it imports nothing that weighs more than it is worth there."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "argparse", "asyncio", "click", "email", "hashlib", "http.client", "http.server", "prometheus_client", "pydantic",
    "secrets", "ssl",
}  # fmt: skip


def test_what_carries_traffic_imports_nothing_heavy() -> None:
    code = "import sys, proxy.serve; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(printed.split())
    assert "proxy._engine" in loaded
    assert HEAVY & loaded == set()
