"""Whose certificates the proxies of a mesh believe, as its authority says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trust:
    """Roots (DER in base64), the one that signs first, and serials (hexadecimal) that are denied."""

    domain: str
    roots: tuple[str, ...]
    denied: tuple[str, ...] = ()
