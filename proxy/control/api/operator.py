"""The key of whoever runs a control plane: made at its first start, and read again at the next.

In: a file of the operator's. Out: the key, in that file, for its owner only.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

PREFIX = "whymesh-operator_"


def kept_key(path: Path) -> str:
    """The key in a file, made where there is none; raises OSError."""
    kept = path.read_text().strip() if path.exists() else ""
    if kept.startswith(PREFIX):
        return kept
    made = PREFIX + secrets.token_urlsafe(32)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(made + "\n")
    fresh.replace(path)
    return made
