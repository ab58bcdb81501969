"""One thing that is different between two configurations, as people and the root-cause engine are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["config", "rollout", "scale", "health", "certificate", "authority", "recording"]


@dataclass(frozen=True)
class Change:
    """`rollout`: versions served, or their shares; `scale`: instances; `health`: who is called; `certificate`: one
    issued as usual; `authority`: roots, denied certificates, refusals; `recording`: an order to record everything,
    and its end; `config`: any other.
    """

    kind: Kind
    service: str
    instance: str
    before: str
    after: str
    summary: str
