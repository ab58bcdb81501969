"""Finds what the bad requests of a service have in common and the good ones have not: a machine, a zone, a caller, an
attribute.

In: single requests of one service, before and since its trouble began, with their traits. Out: the narrowest trait
that explains the trouble, with the figures of those that have it and of all others, at the same time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log

from rootcause.attribute.drilldown import HEALTHY_SHARE
from rootcause.detect.baseline import MIN_CALLS
from rootcause.detect.chance import log_fisher
from rootcause.load.moments import Moment
from rootcause.load.traits import Trait

UNLIKELY = log(1e-4)
"""What may be chance, among all traits that are compared."""
AS_BEFORE = 0.5
"""A trait that many more requests have than did before is what became of them, not what they brought with them."""
NEARLY_ALL = 0.9
"""Of the trouble, that a narrower trait has to explain as well as a wider one."""

Traits = Mapping[tuple[str, str], frozenset[Trait]]
"""By trace and span."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the requests since the trouble began: how many, how many of them are bad, their mean time in ms."""

    requests: int
    bad: int
    mean_ms: float


@dataclass(frozen=True, slots=True)
class InCommon:
    """`having` are the requests that have the trait, `others` all that have not. Of the former the worst traces."""

    trait: Trait
    having: Part
    others: Part
    traces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Counted:
    """Requests by trait; `every` of them."""

    many: Counter[Trait]
    bad: Counter[Trait]
    every: int
    all_bad: int

    def share(self, trait: Trait) -> float:
        """Of those that have it, how many are bad."""
        return self.bad[trait] / self.many[trait] if self.many[trait] else 0.0

    def share_of_others(self, trait: Trait) -> float:
        others = self.every - self.many[trait]
        return (self.all_bad - self.bad[trait]) / others if others else 0.0


def in_common(moments: Sequence[Moment], traits: Traits, began: float, usual_until: float) -> InCommon | None:
    """Compares requests since `began` with those before `usual_until` (Unix seconds); requests without known traits do
    not count. None when nothing is common to the bad ones alone."""
    known = [moment for moment in moments if (moment.trace, moment.span) in traits]
    since = [moment for moment in known if moment.at >= began]
    before = _counted((moment for moment in known if moment.at < usual_until), traits)
    now = _counted(since, traits)
    compared = [trait for trait, many in now.many.items() if MIN_CALLS <= many <= now.every - MIN_CALLS]
    unlikely = UNLIKELY - log(max(1, len(compared)))
    apart = {
        trait: explained
        for trait in compared
        if _brought(trait, before, now)
        and (explained := _explained(trait, before, now)) > 0
        and _chance(trait, before, now) <= unlikely
    }
    if not apart:
        return None
    most = max(apart.values())
    able = [trait for trait, explained in apart.items() if explained >= NEARLY_ALL * most]
    narrowest = min(able, key=lambda trait: (now.many[trait], trait))
    return _told(narrowest, since, traits)


def _counted(moments: Iterable[Moment], traits: Traits) -> _Counted:
    many: Counter[Trait] = Counter()
    bad: Counter[Trait] = Counter()
    every = all_bad = 0
    for moment in moments:
        every += 1
        all_bad += moment.bad
        has = traits[moment.trace, moment.span]
        many.update(has)
        if moment.bad:
            bad.update(has)
    return _Counted(many, bad, every, all_bad)


def _brought(trait: Trait, before: _Counted, now: _Counted) -> bool:
    """Whether requests had it as often before the trouble."""
    return before.many[trait] >= MIN_CALLS and (
        before.many[trait] / before.every >= AS_BEFORE * now.many[trait] / now.every
    )


def _explained(trait: Trait, before: _Counted, now: _Counted) -> float:
    """How many bad requests more than usual have it; none when the others became worse, too."""
    worse = now.share(trait) - before.share(trait)
    others = now.share_of_others(trait) - before.share_of_others(trait)
    return worse * now.many[trait] if worse > 0 and others <= HEALTHY_SHARE * worse else 0.0


def _chance(trait: Trait, before: _Counted, now: _Counted) -> float:
    """Log of the chance that as many of them are bad when they fare like the others, or like those with the trait did
    before, whichever is likelier."""
    bad, many = now.bad[trait], now.many[trait]
    like_others = log_fisher(bad, many, now.all_bad - bad, now.every - many)
    return max(like_others, log_fisher(bad, many, before.bad[trait], before.many[trait]))


def _told(trait: Trait, since: Sequence[Moment], traits: Traits) -> InCommon:
    having = [moment for moment in since if trait in traits[moment.trace, moment.span]]
    others = [moment for moment in since if trait not in traits[moment.trace, moment.span]]
    worst = sorted((moment for moment in having if moment.bad), key=lambda moment: -moment.took_ms)
    return InCommon(trait, _part(having), _part(others), tuple(dict.fromkeys(moment.trace for moment in worst))[:3])


def _part(moments: Sequence[Moment]) -> Part:
    took = sum(moment.took_ms for moment in moments)
    return Part(len(moments), sum(moment.bad for moment in moments), took / max(1, len(moments)))
