"""Tells whether the machine was started anew since something was written."""

from __future__ import annotations

import uuid
from pathlib import Path

_PATH = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> bytes:
    """16 bytes that are others after each start of the machine (random(4)). Raises OSError."""
    return uuid.UUID(_PATH.read_text().strip()).bytes
