"""What the shop's policies decided, by the counters of its proxies. In: `/stats` of each. Out: totals. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

DENIALS = ("not_allowed", "policy_denied")


@dataclass(frozen=True)
class Decisions:
    """Requests that policies let in, and those they did not, by (caller, callee); a caller outside has no name."""

    allowed: int = 0
    denied: Counter[tuple[str, str]] = field(default_factory=Counter)


def decisions(stats: Iterable[dict[str, Any]]) -> Decisions:
    """Over all proxies; each counts what came to it."""
    allowed, denied = 0, Counter[tuple[str, str]]()
    for one in stats:
        allowed += sum(meter["values"].get("allowed", 0) for meter in one["policies"] if meter["name"] == "")
        for row in one["requests"]:
            if row["direction"] == "inbound" and row["reason"] in DENIALS:
                denied[row["peer"], row["service"]] += row["count"]
    return Decisions(allowed, denied)
