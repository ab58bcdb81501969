"""What goes wrong, or just goes on, in a generated system: effects on single parts from some moment on.

In: nothing; these are plain values. Out: for a part and a moment, what it does otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

BY_CHANCE = frozenset({"fail", "loss", "cut"})


@dataclass(frozen=True)
class Effect:
    """Empty fields match all.

    Of parts: `slow` adds ms to own time, `busy` multiplies it, `leak` adds more and more, up to so many ms, until a
    restart, `fail` fails that share, `refuse` answers nobody (callers are told at once), `hang` neither (they wait
    until their time is over), `miss` finds nothing in caches, `deploy` has another version serve that share, `scale` so
    many other instances, `mix` takes the first way of a route more often. Of links: `link` adds ms on the way, `loss`
    holds up that share of calls by a retransmission, `cut` lets it run into the caller's timeout, `repeat` makes each
    call so many times, `retries` tries again so often, `swallow` goes on without an answer, `pool` has callers wait so
    many ms in a queue of their own, `skip` no longer calls. Of all: `load` multiplies requests, `entries` those of one
    kind, `new route` and `batch` begin with that share.
    """

    kind: str
    service: str = ""
    value: float = 1.0
    version: str = ""
    instance: str = ""
    route: str = ""
    source: str = ""

    def hits(self, service: str, version: str, instance: str, route: str) -> bool:
        """Whether it is on this part."""
        return (
            self.service in ("", service)
            and self.version in ("", version)
            and self.instance in ("", instance)
            and self.route in ("", route)
        )


class Effects:
    """All effects at work from `since` (Unix seconds) on."""

    def __init__(self, effects: Iterable[Effect], since: float) -> None:
        self._by_kind: dict[str, list[Effect]] = defaultdict(list)
        for effect in effects:
            self._by_kind[effect.kind].append(effect)
        self.since = since
        self.struck = 0
        """How often one was met; of those that strike by chance, how often they did."""

    def on(self, kind: str, at: float, service: str, version: str = "", instance: str = "", route: str = "") -> float:
        """The most that one of this kind does to a part; 0 of none."""
        found = self._by_kind.get(kind)
        if not found or at < self.since:
            return 0.0
        hits = [one.value for one in found if one.hits(service, version, instance, route)]
        return self._met(kind, max(hits, default=0.0))

    def between(self, kind: str, at: float, source: str, service: str) -> float:
        """The most that one of this kind does to a link; 0 of none."""
        found = self._by_kind.get(kind)
        if not found or at < self.since:
            return 0.0
        hits = [one.value for one in found if one.source in ("", source) and one.service in ("", service)]
        return self._met(kind, max(hits, default=0.0))

    def _met(self, kind: str, value: float) -> float:
        self.struck += value > 0 and kind not in BY_CHANCE
        return value
