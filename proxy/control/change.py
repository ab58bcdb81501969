"""One thing that is different between two configurations, as people and the root-cause engine are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["config", "rollout", "scale", "health", "certificate", "authority"]


@dataclass(frozen=True)
class Change:
    """`rollout`: versions served, or their shares; `scale`: instances; `health`: who is called; `certificate`: one
    issued as usual; `authority`: roots, denied certificates, refusals; `config`: any other.
    """

    kind: Kind
    service: str
    instance: str
    before: str
    after: str
    summary: str
