"""How long certificates live, and when they are replaced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

SKEW = timedelta(minutes=5)
"""Certificates hold from so long ago, for clocks that are behind."""


@dataclass(frozen=True)
class Terms:
    """Lifetimes of a workload's certificate, of the certificate that issues it, and of the root."""

    leaf: timedelta = timedelta(hours=24)
    issuer: timedelta = timedelta(days=90)
    root: timedelta = timedelta(days=3650)


def due(start: datetime, end: datetime) -> datetime:
    """When a certificate that holds from `start` to `end` is to be replaced: at two thirds of its life."""
    return start + (end - start) * 2 / 3
