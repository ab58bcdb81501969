"""Whom complaints are about: one that holds another service's address tells that this one did not answer as it should.

In: what services complain of, by bucket, in both windows. Out: by service that complains, the others it names. A name
counts where it can mean nothing but the service: as the host of an address, or when nobody would write the word
otherwise (`cart-service`, `hipstershop.CartService/Get`); of a plain word nobody knows what it stands for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Set

from rootcause.load.same_names import same_names
from rootcause.load.step_names import written
from rootcause.load.window import OF_TIME, Step, Window

_OFTENER = 2.0
"""Times as often: below that a complaint is one of those that always come."""
_PARTS = re.compile(r"[./@]+")
_COMPOSED = re.compile(r"\w[-_]\w|.(service|svc)$", re.IGNORECASE)


def addressed(baseline: Window, observed: Window) -> dict[str, frozenset[str]]:
    """By service; complaints that are no more frequent than usual are left out."""
    windows = baseline, observed
    services = {one.service for window in windows for one in window.series}
    services |= {step.service for window in windows for step in window.steps}
    usual = {(step.service, step.name): _share(step) for step in baseline.steps if step.route == OF_TIME}
    found: dict[str, set[str]] = defaultdict(set)
    for step in observed.steps:
        said = step.route == OF_TIME and written(step.name) is not None
        if said and _share(step) >= _OFTENER * usual.get((step.service, step.name), 0.0):
            found[step.service] |= _named(step.name, services) - {step.service}
    return {service: frozenset(names) for service, names in found.items() if names}


def _share(step: Step) -> float:
    """Of all buckets."""
    return sum(many for _, many in step.often) / step.requests


def _named(text: str, services: Set[str]) -> set[str]:
    said = set(_hosts(text))
    return (said & services) | set(same_names(services, said).values())


def _hosts(text: str) -> Iterable[str]:
    for word in text.replace('"', " ").split():
        parts = [part for part in _PARTS.split(word) if part]
        for at, part in enumerate(parts):
            if _COMPOSED.search(part) or (not at and word.startswith("//")):
                yield part
