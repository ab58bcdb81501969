"""Which hosts a name stands for: itself, a domain (`*.example.com`, one label or more), or (None) any.

In: hostnames of listeners and routes. Out: how they lie in each other, as the Gateway API says
(`HTTPRoute.spec.hostnames`).
"""

from __future__ import annotations

Hostname = str | None


def covers(wide: Hostname, narrow: Hostname) -> bool:
    """Whether every host of `narrow` is one of `wide` too."""
    if wide is None or wide == narrow:
        return True
    return narrow is not None and wide.startswith("*.") and narrow.endswith(wide[1:])


def common(first: Hostname, second: Hostname) -> tuple[Hostname, ...]:
    """The hosts of both, as one name; no name when there are none."""
    if covers(first, second):
        return (second,)
    return (first,) if covers(second, first) else ()


def rank(name: Hostname) -> tuple[int, int]:
    """Sorts before those of a less specific name: a host, the longest domain, any."""
    if name is None:
        return 2, 0
    return int(name.startswith("*.")), -len(name)
