"""What proxies trusted before and now -> a row of `mesh_changes`: how many roots, and which certificates are denied."""

from __future__ import annotations

import base64

from cryptography import x509

from proxy.control.authority.certificates import hexadecimal
from proxy.control.epochs.change import Change
from proxy.control.trust import Trust

_NAMED = 10
"""Serials that are named; more are counted."""


def turned(before: Trust, now: Trust | None) -> Change:
    """The change, with the serials that are denied since, and those that are not any more."""
    was, is_now = _denied(before), _denied(now)
    lines = [f"what proxies trust changed: {_counted(before, was)} -> {_counted(now, is_now)}"]
    lines += [f"denied: {_named(is_now - was)}"] if is_now - was else []
    lines += [f"not denied any more: {_named(was - is_now)}"] if was - is_now else []
    return Change("authority", "", "", _counted(before, was), _counted(now, is_now), "; ".join(lines))


def _denied(trust: Trust | None) -> set[str]:
    crls = (x509.load_der_x509_crl(base64.b64decode(crl)) for _, crl in (trust.crls if trust else ()))
    return {hexadecimal(entry.serial_number) for crl in crls for entry in crl}


def _counted(trust: Trust | None, denied: set[str]) -> str:
    return f"{len(trust.roots)} roots, {len(denied)} certificates denied" if trust else "nothing"


def _named(serials: set[str]) -> str:
    more = f" and {len(serials) - _NAMED} more" if len(serials) > _NAMED else ""
    return ", ".join(sorted(serials)[:_NAMED]) + more
