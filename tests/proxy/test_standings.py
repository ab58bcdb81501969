"""What Prometheus hears of the instances of a service."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from proxy import standings
from proxy.exposition import Page

Samples = dict[str, list[tuple[dict[str, str], float]]]


def instance(name: str, state: str = "healthy", reason: str = "", share: float = 1.0) -> dict[str, Any]:
    return {"instance": name, "state": state, "reason": reason, "share": share}


def scraped(*services: dict[str, Any]) -> Samples:
    page = Page()
    standings.render(page, list(services))
    families = text_string_to_metric_families(page.text())
    return {family.name: [(sample.labels, sample.value) for sample in family.samples] for family in families}


def test_a_service_has_its_states_and_an_instance_that_lacks_requests_its_reason() -> None:
    out = instance("cart-2", "ejected", "latency", 0.0)
    cart = {"service": "cart", "panic": False, "breaker": "breaker.requests", "instances": [instance("cart-1"), out]}
    found = scraped(cart, {"service": "pay", "panic": True, "breaker": "", "instances": []})
    assert found["whymesh_proxy_instances"] == [
        ({"service": "cart", "state": "healthy"}, 1),
        ({"service": "cart", "state": "ejected"}, 1),
        ({"service": "pay", "state": "healthy"}, 0),
    ]
    assert found["whymesh_proxy_panic"] == [({"service": "cart"}, 0), ({"service": "pay"}, 1)]
    assert found["whymesh_proxy_breaker_open"] == [({"service": "cart", "limit": "breaker.requests"}, 1)]
    labels = {"service": "cart", "instance": "cart-2", "state": "ejected", "reason": "latency"}
    assert found["whymesh_proxy_instance_share"] == [(labels, 0)]
    assert found["whymesh_proxy_instances_folded"] == [({}, 0)]


def test_a_large_mesh_in_trouble_is_no_larger_scrape() -> None:
    many = [instance(f"cart-{place}", "ejected", "latency", 0.0) for place in range(5_000)]
    found = scraped({"service": "cart", "panic": True, "breaker": "", "instances": many})
    assert len(found["whymesh_proxy_instance_share"]) == standings.MOST
    assert found["whymesh_proxy_instances_folded"] == [({}, 5_000 - standings.MOST)]
    assert found["whymesh_proxy_instances"][1] == ({"service": "cart", "state": "ejected"}, 5_000)
