"""Whose certificates the proxies of a mesh believe, as its authority says; DER in base64."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trust:
    """Roots, the one that signs first, and what is denied: the certificate of each issuer with its list (RFC 5280)."""

    domain: str
    roots: tuple[str, ...]
    crls: tuple[tuple[str, str], ...] = ()
