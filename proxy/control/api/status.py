"""`/v1/status`: the epoch in force, and of each proxy what it serves, whether that is what it should, and if not why.

In: what the publisher knows. Out: JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.control.proxies import Proxy
from proxy.control.publish import Publisher
from proxy.control.standings import told_of


def status(publisher: Publisher, authority: dict[str, Any] | None, key_sets: Mapping[str, str]) -> dict[str, Any]:
    """Everything there is to know of the mesh's proxies, in the order of the configuration.

    `authority` is its report (`/v1/authority`), `key_sets` why the newest could not be had, by URL.
    """
    held: dict[str, list[dict[str, Any]]] = {}
    for one in authority["certificates"] if authority else ():
        if one["member"]:
            held.setdefault(one["proxy"], []).append({key: one[key] for key in ("identity", "ends", "late")})
    return {
        "mesh": publisher.registry.mesh.metadata.name,
        "epoch": publisher.epoch,
        "left_out": publisher.registry.left_out,
        "config_errors": publisher.mistakes,
        "authority": authority
        and {
            "trust_domain": authority["trust_domain"],
            "roots": [{key: root[key] for key in ("state", "sha256", "ends")} for root in authority["roots"]],
            "rotation": authority["rotation"],
        },
        "key_sets": dict(key_sets),
        "proxies": [
            {**_proxy(publisher, proxy), "certificates": held.get(proxy.name, [])}
            for proxy in publisher.registry.proxies
        ],
    }


def _proxy(publisher: Publisher, proxy: Proxy) -> dict[str, Any]:
    standing, due = publisher.standing(proxy.name), publisher.due[proxy.name]
    told = told_of(standing, due.snapshot.epoch, due.since)
    said = standing.said if standing else None
    return {
        "name": proxy.name,
        "instances": [endpoint.instance for _, endpoint in proxy.instances],
        "services": list(dict.fromkeys(service.full_name for service, _ in proxy.instances)),
        "gateway": proxy.gateway is not None,
        "admin": proxy.admin,
        "connected": bool(standing and standing.connections),
        "epoch": standing.served if standing else None,
        "due": due.snapshot.epoch,
        "state": told.state,
        "why": told.why,
        "since": told.since.isoformat() if told.since else None,
        "seen": standing.seen.isoformat() if standing and standing.seen else None,
        "refused": said.reason if said and not said.accepted else None,
        "problems": list(said.problems) if said else [],
    }
