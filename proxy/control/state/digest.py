"""Tells what is in force in one epoch from what is in another, by what it means: a comment is no change."""

from __future__ import annotations

import hashlib

from proxy.control.registry import Registry


def digest(registry: Registry) -> str:
    """SHA-256 over every document, and over who is left out, over whom it trusts."""
    whole = hashlib.sha256(registry.mesh.model_dump_json().encode())
    for document in registry.documents:
        whole.update(document.model_dump_json().encode())
    for instance in sorted(registry.left_out):
        whole.update(b"\0" + instance.encode())
    for url, keys in sorted(registry.key_sets.items()):
        whole.update(f"\0{url}\0{keys}".encode())
    if registry.trust:
        whole.update(repr(registry.trust).encode())
    return whole.hexdigest()
