"""How many spans never came, told by the spans that did: a parent that is not there was recorded, and lost on the way,
where others of the same kind have theirs.

In: spans of whole traces. Out: by service the share (0..1) of its spans that is lost. Never: a share of what nobody
records, such as the spans of a caller outside of everything.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import sqrt

from rootcause.load.spans import Kind, Span

_SOME = 0.05
"""Where fewer than this have their parent, it is of somebody who sends no spans."""
_FEWEST, _FEWEST_LOST = 20, 3
_NOTABLE = 0.02
"""Of traces that were cut off, since they began before the spans in hand or are not over, parents are missing, too."""
_MOST = 0.95


@dataclass(frozen=True, slots=True)
class Lost:
    """Shares (0..1) by service, as far as its spans tell, and of all together; `most` may be lost at the most, for few
    spans tell it only roughly. `inside`: services that lost some, and whose calls have their parents in the same
    service, so that a call without one is of a request that was lost."""

    shares: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)
    overall: float = 0.0
    inside: frozenset[str] = frozenset()

    def at_most(self, service: str) -> float:
        """What is lost of all together, for a service that tells nothing."""
        return self.most.get(service, self.overall)

    def captured(self) -> Mapping[str, float]:
        """What is there of each service that tells."""
        return {service: 1 - share for service, share in self.shares.items()}


@dataclass(slots=True)
class _Tally:
    """By service, how many of its spans that others have as their parent are there, and are missing."""

    there: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)

    def tells(self, service: str) -> bool:
        return self.there[service] + self.missing[service] >= _FEWEST


def lost_of(spans: Collection[Span], known: Mapping[tuple[str, str], Span]) -> Lost:
    """`known` are the same spans, by trace and id."""
    orphaned: dict[tuple[str, Kind], set[tuple[str, str]]] = defaultdict(set)
    parents: dict[tuple[str, Kind], dict[tuple[str, str], str]] = defaultdict(dict)
    for span in spans:
        if span.parent:
            above = span.trace, span.parent
            parent = known.get(above)
            if parent is None:
                orphaned[span.service, span.kind].add(above)
            else:
                parents[span.service, span.kind][above] = parent.service
    inside, between = _Tally(), _Tally()
    for (service, kind), of in parents.items():
        missing = len(orphaned[service, kind])
        if len(of) < _SOME * (len(of) + missing):
            continue
        for parent_service, many in Counter(of.values()).items():
            tally = inside if kind is not Kind.SERVER and parent_service == service else between
            tally.there[parent_service] += many
            tally.missing[parent_service] += round(missing * many / len(of))
    return _lost(inside, between)


def _lost(inside: _Tally, between: _Tally) -> Lost:
    """What a service's own spans tell comes first: the parent of a request may be of another caller, unseen."""
    shares, most = {}, {}
    for service in inside.there.keys() | between.there.keys():
        tally = inside if inside.tells(service) else between
        if tally.tells(service):
            missing, there = tally.missing[service], tally.there[service]
            shares[service] = _share(missing, there)
            most[service] = _at_most(shares[service], missing + there)
    torn = frozenset(service for service in inside.there if shares.get(service))
    tally = inside if inside.there.total() >= _FEWEST else between
    return Lost(shares, most, _share(tally.missing.total(), tally.there.total()), torn)


def _share(missing: int, there: int) -> float:
    share = missing / (missing + there) if missing >= _FEWEST_LOST else 0.0
    return share if share >= _NOTABLE else 0.0


def _at_most(share: float, of: int) -> float:
    """Two deviations above a share that so many spans tell."""
    return min(_MOST, share + 2 * sqrt(share * (1 - share) / of))
