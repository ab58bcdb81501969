"""What the operator says of tail sampling."""

from __future__ import annotations

import json

from pydantic import Field

from collector import _columnar as columnar
from collector.part import Part

NS = 1_000_000_000


class TailPart(Part):
    """Which spans are stored at all, decided when their trace had time to come in."""

    # What was counted is held against what was stored a minute later.
    wait_s: float = Field(default=10.0, ge=0.1, le=45, description="How long the spans of a trace wait for the rest.")
    sample: float = Field(default=0.05, ge=0, le=1, description="Share of ordinary traces that is stored.")
    slow: float = Field(default=0.99, gt=0, lt=1, description="Traces with a call beyond this quantile are stored.")
    rare: int = Field(default=5, ge=0, le=1_000_000, description="So many traces of each operation in ten minutes.")
    spans: int = Field(default=1_000_000, ge=1, description="Spans that may wait; beyond it the oldest are decided.")
    bytes: int = Field(default=256 << 20, ge=1 << 20, description="Bytes of the log that may wait, half of it at most.")
    traces: int = Field(default=500_000, ge=1, description="Decisions remembered, for spans that come late.")

    def tail(self, log_bytes: int) -> columnar.Tail:
        """What decides so; `log_bytes` is what the write-ahead log may hold."""
        terms = {
            "wait": round(self.wait_s * NS),
            "sample": self.sample,
            # As collector/keep/matters.py writes it.
            "weight": f"{1 / self.sample:.6g}" if self.sample else "",
            "slow": self.slow,
            "rare": self.rare,
            "spans": self.spans,
            "bytes": min(self.bytes, log_bytes // 2),
            "traces": self.traces,
        }
        return columnar.Tail(json.dumps(terms))
