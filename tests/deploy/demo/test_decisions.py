"""What the counters of proxies say of the shop's policies."""

from __future__ import annotations

from typing import Any

from deploy.demo.decisions import decisions


def counted(service: str, allowed: int, *requests: tuple[str, str, str, int]) -> dict[str, Any]:
    rows = [
        {"service": service, "direction": direction, "peer": peer, "reason": reason, "count": count}
        for direction, peer, reason, count in requests
    ]
    values = {"allowed": allowed, "denied": 0, "would_deny": 0}
    total = {"service": service, "policy": "authorization", "name": "", "values": values}
    by_rule = total | {"name": f"{service}/a", "values": {"allowed": allowed}}
    return {"policies": [total, by_rule], "requests": rows}


def test_what_was_denied_is_counted_where_it_was_by_who_asked() -> None:
    found = decisions(
        [
            counted("edge", 90, ("inbound", "", "not_allowed", 2), ("outbound", "front", "", 90)),
            counted("payments", 30, ("inbound", "cart", "not_allowed", 1), ("inbound", "checkout", "", 30)),
            counted("cart", 5, ("outbound", "payments", "not_allowed", 1), ("inbound", "front", "policy_denied", 1)),
        ]
    )
    assert found.allowed == 125
    assert found.denied == {("", "edge"): 2, ("cart", "payments"): 1, ("front", "cart"): 1}
