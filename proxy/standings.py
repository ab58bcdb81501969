"""How the instances of the services stand -> gauges for Prometheus.

In: `services` of `Engine.stats()`. Out: a few series a service, one for each instance that gets less than its share.
Never: more than `MOST` of the latter, whatever the mesh looks like; those left out are counted.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from proxy.exposition import Page

MOST = 200
"""Instances with a series of their own; all of them are in /stats."""


def render(page: Page, services: list[dict[str, Any]]) -> None:
    """Adds every family about the services and their instances."""
    named = [({"service": one["service"]}, one) for one in services]
    page.gauges_by(
        "whymesh_proxy_instances",
        "Instances of each service by their state.",
        [({**labels, "state": state}, count) for labels, one in named for state, count in _states(one).items()],
    )
    page.gauges_by(
        "whymesh_proxy_panic",
        "1 while so many instances are ejected that all are used.",
        [(labels, one["panic"]) for labels, one in named],
    )
    page.gauges_by(
        "whymesh_proxy_breaker_open",
        "1 while one more request on a new connection would be refused.",
        [({**labels, "limit": one["breaker"]}, 1) for labels, one in named if one["breaker"]],
    )
    lacking = [(labels, instance) for labels, one in named for instance in one["instances"] if instance["share"] < 1]
    page.gauges_by(
        "whymesh_proxy_instance_share",
        "Part of an equal share that an instance gets, of those that get less.",
        [({**labels, **_labels(instance)}, instance["share"]) for labels, instance in lacking[:MOST]],
    )
    page.gauge(
        "whymesh_proxy_instances_folded",
        "Instances that get less than their share and have no series of their own, for want of room.",
        max(0, len(lacking) - MOST),
    )


def _states(service: dict[str, Any]) -> dict[str, int]:
    """How many instances are in each state; `healthy` also when none is."""
    return {"healthy": 0, **Counter(instance["state"] for instance in service["instances"])}


def _labels(instance: dict[str, Any]) -> dict[str, str]:
    return {name: instance[name] for name in ("instance", "state", "reason")}
