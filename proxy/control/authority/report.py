"""The state of an authority in numbers and times: for `/v1/authority`, `whymesh ca status` and `whymesh ca forecast`.

In: an authority, what the proxies said, the time. Out: plain values. Pure.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from proxy.control.authority.authority import Authority
from proxy.control.authority.certificates import fingerprint
from proxy.control.authority.ledger import moment
from proxy.control.authority.passes import Pass, Passes
from proxy.control.authority.rotation import Standing
from proxy.control.authority.signers import Kept
from proxy.control.authority.terms import due


def report_of(authority: Authority, standing: Standing, now: datetime) -> dict[str, Any]:
    """Everything but the private keys."""
    signers = authority.signers
    return {
        "trust_domain": authority.domain,
        "now": now.isoformat(),
        "roots": [_signer(root) for root in signers.roots.values()],
        "issuer": _signer(signers.issuer),
        "rotation": {
            "step": "spreading" if "next" in signers.roots else "renewing" if "old" in signers.roots else "none",
            "waits_for": authority.rotation.waiting(standing, now),
        },
        "certificates": [
            {
                "proxy": row["proxy"],
                "identity": row["uri"],
                "serial": row["serial"],
                "ends": moment(row["ends"]).isoformat(),
                "late": _late(row["issued"], row["ends"], now) and (row["proxy"], row["uri"]) in standing.holders,
                "member": (row["proxy"], row["uri"]) in standing.holders,
            }
            for row in authority.newest()
        ],
        "passes": [
            {"id": one.id, "kind": one.kind, "proxies": one.proxies, "state": _usable(one, now)}
            for one in Passes(authority.ledger).every()
        ],
        "denied": [
            {**asdict(one), "since": one.since.isoformat(), "ends": one.ends.isoformat()}
            for one in authority.denials.every(now)
        ],
        "forecast": forecast(authority, standing, now),
    }


def forecast(authority: Authority, standing: Standing, now: datetime) -> list[dict[str, str]]:
    """What stops when, if no proxy reaches the control plane from now on, and what ends even if all do; in order."""
    found = []
    for row in authority.newest():
        if (row["proxy"], row["uri"]) in standing.holders:
            what = f"{row['proxy']} has no valid certificate as {row['uri']} any more, if it cannot renew"
            found.append((moment(row["ends"]), what))
    issuer, root = authority.signers.issuer, authority.signers.active
    if root.signer is None:
        what = "nothing is issued any more: the key of the root is not kept here, so bring a new issuer along"
        found.append((issuer.ends, what))
        found.append((root.ends, "nothing is trusted any more: bring a new root along before"))
    else:
        found.append((due(root.starts, root.ends), "the root is replaced, without anybody's help"))
    return [
        {"at": at.isoformat(), "what": what if at > now else f"since then: {what}"}
        for at, what in sorted(found, key=lambda one: one[0])
    ]


def _late(issued: float, ends: float, now: datetime) -> bool:
    """It should have been renewed: three quarters of its life are over."""
    return now.timestamp() > issued + (ends - issued) * 0.75


def _usable(one: Pass, now: datetime) -> str:
    if one.revoked:
        return "revoked"
    if one.ends is not None and one.ends <= now:
        return f"ended {one.ends:%F %T} UTC"
    return f"used {one.used} times" if one.used else "not used yet"


def _signer(one: Kept) -> dict[str, Any]:
    return {
        "state": one.state,
        "sha256": fingerprint(one.certificate).hex(),
        "subject": one.certificate.subject.rfc4514_string(),
        "since": one.since.isoformat(),
        "ends": one.ends.isoformat(),
        "replaced_at": due(one.starts, one.ends).isoformat() if one.signer else None,
        "key": "here" if one.signer else "elsewhere",
    }
