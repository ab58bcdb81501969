"""Remembers which versions of each service were seen to serve, so that a new one is known for a while.

In: what each evaluation observed. Out: services of which a version serves that is new beside others, or in place of
them. A service that is new itself has released nothing.
"""

from __future__ import annotations

from rootcause.load.window import Window

LATELY_S = 600.0
"""Normal time has no more of the version before after so long; one not seen for so long is new again."""


class Releases:
    """Versions by service, each with when it was first and last seen."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, tuple[float, float]]] = {}

    def lately(self, observed: Window, now: float) -> frozenset[str]:
        """Services with a version that was first seen less than LATELY_S ago, and after another one."""
        for service, version in sorted({(row.service, row.version) for row in observed.served}):
            versions = self._seen.setdefault(service, {})
            first, _ = versions.get(version, (now, now))
            versions[version] = first, now
        self._seen = {service: kept for service, versions in self._seen.items() if (kept := _recent(versions, now))}
        return frozenset(service for service, versions in self._seen.items() if _released(versions))


def _recent(versions: dict[str, tuple[float, float]], now: float) -> dict[str, tuple[float, float]]:
    return {version: (first, last) for version, (first, last) in versions.items() if now - last < LATELY_S}


def _released(versions: dict[str, tuple[float, float]]) -> bool:
    firsts = [first for first, _ in versions.values()]
    now = max(last for _, last in versions.values())
    return now - max(firsts) < LATELY_S and max(firsts) > min(firsts)
