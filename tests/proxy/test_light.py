"""The sidecar's process stays small: it imports nothing that weighs more than it is worth there."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"click", "email", "http.client", "http.server", "prometheus_client", "pydantic", "asyncio", "ssl", "argparse"}


def test_what_carries_traffic_imports_nothing_heavy() -> None:
    code = "import sys, proxy.serve; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(printed.split())
    assert "proxy._engine" in loaded
    assert HEAVY & loaded == set()
