"""What requests of a service no longer do, do more or less often, or never did: the mark of a swallowed exception or an
early return.

In: steps of both windows. Out: the clearest change for each service, by Fisher's exact test on how many requests show
it. Of many stretches of normal time one may be anything but normal (a fault that was just mended, a rollout): what all
others agree on counts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log

from rootcause.detect.chance import log_fisher
from rootcause.detect.errors import UNLIKELY
from rootcause.load.window import OF_TIME, Step, Window, calls

_OPTIONAL = 0.05
"""What more than this share of requests do, and this share do not, depends on what they ask for."""
_MANY_PARTS = 5
"""From so many stretches of normal time on, one of them may be left out."""

Route = tuple[str, str]
Often = Counter[int]
"""How many requests did something so many times; 0 are those that did not."""


@dataclass(frozen=True, slots=True)
class StepShift:
    """Shares of the requests of `route` that do `name`, before and now; `changed` requests are beyond the normal share.
    `sure`: not to be expected by chance even once among everything that was compared."""

    service: str
    route: str
    name: str
    baseline_share: float
    observed_share: float
    changed: float
    log_chance: float
    sure: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    """Of `of` requests `hits` show something."""

    hits: int
    of: int

    @property
    def share(self) -> float:
        return self.hits / self.of


def step_shifts(baseline: Window, observed: Window) -> dict[str, StepShift]:
    """The least likely change of each service's requests."""
    before, now = _by_route(baseline.steps), _by_route(observed.steps)
    clearest: dict[str, StepShift] = {}
    compared = 0
    for route in sorted(before.keys() & now.keys()):
        parts, seen = list(before[route].values()), _together(now[route].values())
        for name in sorted({name for part in (*parts, seen) for name in part.often}):
            compared += 1
            for shift in _shifts(route, name, [part.of(name) for part in parts], seen.of(name)):
                told = _as_requests(shift, observed) if route[1] == OF_TIME else _weighed(shift, seen.weight)
                held = clearest.get(route[0])
                if told is not None and (held is None or told.log_chance < held.log_chance):
                    clearest[route[0]] = told
    least = UNLIKELY - log(max(1, compared))
    return {service: replace(shift, sure=shift.log_chance <= least) for service, shift in clearest.items()}


def _shifts(route: Route, name: str, parts: Sequence[Often], now: Often) -> Iterator[StepShift]:
    """Every way in which requests may do this differently: at all, twice, four times and so on, or a number of times of
    their own."""
    most = max(times for often in (*parts, now) for times in often)
    for power in range(most.bit_length()):
        least = 2**power
        told = f"{name} ({least} times)" if power else name
        yield from _compare(route, told, [_at_least(least, often) for often in parts], _at_least(least, now))
    if route[1] != OF_TIME:
        yield from _unheard_of(route, name, parts, now)


def _compare(route: Route, name: str, parts: Sequence[_Seen], now: _Seen) -> Iterator[StepShift]:
    before, tries = _agreed(parts)
    usual, share = before.share, now.share
    if share == usual or _OPTIONAL < usual < 1 - _OPTIONAL:
        return
    if share > usual:
        chance = log_fisher(now.hits, now.of, before.hits, before.of)
    else:
        chance = log_fisher(now.of - now.hits, now.of, before.of - before.hits, before.of)
    yield StepShift(*route, name, usual, share, abs(share - usual) * now.of, min(0.0, chance + log(tries)))


def _agreed(parts: Sequence[_Seen]) -> tuple[_Seen, int]:
    """Normal time as a whole, or without the one stretch of many in which alone it was otherwise; and how many ways
    there were to choose."""
    whole = _sum(parts)
    if len(parts) < _MANY_PARTS or not _OPTIONAL < whole.share < 1 - _OPTIONAL:
        return whole, 1
    rest = [_Seen(whole.hits - part.hits, whole.of - part.of) for part in parts]
    return min(rest, key=lambda seen: min(seen.share, 1 - seen.share)), len(parts)


def _unheard_of(route: Route, name: str, parts: Sequence[Often], now: Often) -> Iterator[StepShift]:
    """Requests that do it a number of times that none did in normal time. How many of those there are anyhow is told by
    the numbers that came once in normal time (I. J. Good, "The population frequencies of species", 1953)."""
    choices: list[Sequence[Often]] = [parts]
    if len(parts) >= _MANY_PARTS:
        choices += [[*parts[:at], *parts[at + 1 :]] for at in range(len(parts))]
    best: StepShift | None = None
    for kept in choices:
        known: Often = sum(kept, Counter())
        strange = {times: many for times, many in now.items() if times not in known}
        before = _Seen(sum(many == 1 for many in known.values()), known.total())
        if not strange or not before.of or before.share > _OPTIONAL:
            continue
        seen = _Seen(sum(strange.values()), now.total())
        chance = log_fisher(seen.hits, seen.of, before.hits, before.of) + log(1 if kept is parts else len(parts))
        told = f"{name} ({_times(max(strange, key=lambda times: strange[times]))}, as never before)"
        excess = (seen.share - before.share) * seen.of
        if excess > 0 and (best is None or chance < best.log_chance):
            best = StepShift(*route, told, 0.0, seen.share, excess, min(0.0, chance))
    if best is not None:
        yield best


def _times(times: int) -> str:
    return {0: "not at all", 1: "once"}.get(times, f"{times} times")


def _at_least(times: int, often: Often) -> _Seen:
    return _Seen(sum(many for done, many in often.items() if done >= times), often.total())


def _sum(parts: Iterable[_Seen]) -> _Seen:
    together = list(parts)
    return _Seen(sum(part.hits for part in together), sum(part.of for part in together))


def _weighed(shift: StepShift, weight: float) -> StepShift:
    return replace(shift, changed=shift.changed * weight)


def _as_requests(shift: StepShift, observed: Window) -> StepShift | None:
    """Of what is counted in buckets of time: the requests that the service met in that share of it. Trouble that is
    over is no fault."""
    met = sum(calls(row.buckets) for row in observed.served if row.service == shift.service) or observed.entry_calls
    added = shift.observed_share - shift.baseline_share
    return replace(shift, changed=added * met) if added > 0 else None


@dataclass(frozen=True, slots=True)
class _Part:
    """What the requests of one route did in one stretch of time."""

    requests: int
    weight: float
    often: Mapping[str, Often]

    def of(self, name: str) -> Often:
        done = self.often.get(name, Counter())
        return Counter({0: self.requests - done.total(), **done})


def _by_route(steps: Iterable[Step]) -> dict[Route, dict[int, _Part]]:
    found: dict[Route, dict[int, _Part]] = defaultdict(dict)
    often: dict[tuple[Route, int], dict[str, Often]] = defaultdict(dict)
    for step in steps:
        route = step.service, step.route
        names = often[route, step.part]
        names[step.name] = Counter(dict(step.often))
        found[route][step.part] = _Part(step.requests, step.weight, names)
    return found


def _together(parts: Iterable[_Part]) -> _Part:
    """All stretches as one."""
    names: dict[str, Often] = defaultdict(Counter)
    requests, weight = 0, 1.0
    for part in parts:
        requests, weight = requests + part.requests, part.weight
        for name, often in part.often.items():
            names[name] += often
    return _Part(requests, weight, names)
