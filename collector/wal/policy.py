"""What the log promises and how much disk it may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Fsync = Literal["always", "interval", "never"]


@dataclass(frozen=True)
class Policy:
    """`fsync`: before each answer, every `interval_s`, or whenever the kernel does; sizes in bytes."""

    fsync: Fsync = "always"
    interval_s: float = 1.0
    limit_bytes: int = 1 << 30
    segment_bytes: int = 64 << 20
    batches: int = 50_000

    @property
    def segment(self) -> int:
        """The size at which a segment ends: a quarter of the limit at most, for only whole ones can be removed."""
        return min(self.segment_bytes, self.limit_bytes // 4)
