"""Regular expressions, checked by the engine that will match them: Python's own would let others pass."""

from __future__ import annotations

from proxy._engine import check_expression


def expression(value: str) -> str:
    """Gives back an expression that routes can use; raises ValueError saying why it is none."""
    check_expression(value)
    return value
