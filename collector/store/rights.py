"""What an account may change in the store; reading and being bounded are everyone's."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Rights:
    """`tables` of `otel` it may insert into; a `writer` into all of them, an `owner` may also define them."""

    tables: frozenset[str] = frozenset()
    writer: bool = False
    owner: bool = False

    def insert_into(self, table: str) -> bool:
        return self.writer or self.owner or table in self.tables


READS: Final = Rights()
FINDINGS: Final = Rights(frozenset({"mesh_incidents", "mesh_alerts", "mesh_silences", "mesh_alarms", "mesh_pins"}))
"""Of the root-cause engine, and of those who pin what it should keep."""
