"""Names of workloads as SPIFFE writes them (SPIFFE-ID, section 2)."""

from __future__ import annotations

import re

_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT = re.compile(r"[a-zA-Z0-9._-]+")
_LONGEST = 2048


def spiffe_id(domain: str, namespace: str, service: str) -> str:
    """The name of a service; raises ValueError when SPIFFE has no such name."""
    if not _DOMAIN.fullmatch(domain):
        raise ValueError(f"trust domain {domain!r}: expected up to 255 of a-z 0-9 . _ -")
    for segment in (namespace, service):
        if not _SEGMENT.fullmatch(segment) or segment in (".", ".."):
            raise ValueError(f"{segment!r} cannot be a part of a SPIFFE id: expected letters, digits, . _ and -")
    name = f"spiffe://{domain}/ns/{namespace}/sa/{service}"
    if len(name) > _LONGEST:
        raise ValueError(f"{name[:60]}…: a SPIFFE id has at most {_LONGEST} bytes")
    return name
