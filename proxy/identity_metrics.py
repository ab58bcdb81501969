"""A proxy's certificates as Prometheus metrics.

In: the identities it holds. Out: a few families; nothing where no identity is wanted.
"""

from __future__ import annotations

from proxy.exposition import Page
from proxy.identities import Identities


def render(identities: Identities) -> str:
    """One scrape's worth."""
    page = Page()
    if not identities.renewals:
        return ""
    page.gauges(
        "whymesh_proxy_certificate_end_seconds",
        "When the certificate of each service ends, in seconds since 1970.",
        "service",
        {service: held.not_after for service, held in identities.held.items()},
    )
    page.counter("whymesh_proxy_certificates", "Certificates that were granted.", identities.renewed)
    page.counter("whymesh_proxy_certificate_failures", "Attempts to get one that failed.", identities.failed)
    page.gauge(
        "whymesh_proxy_clock_offset_seconds",
        "How far this machine's clock is ahead of the control plane's.",
        identities.offset_s,
    )
    return page.text()
