"""How long requests waited in calls whose spans are lost, so that it is not taken for their own time.

In: requests, each with the calls that it shows, and what is lost. Out: nanoseconds to take out of the own time of each.
Of calls a share of `lost` is not seen, so that each one seen stands for lost / (1 - lost) that are not: they are those
of the requests that show fewer calls than others do. They took as long as the ones seen in the same bucket, as far as
nothing else was waited for: of calls side by side one that is lost hides nothing. Rather too much is taken out than too
little, for what is left would be blamed on the request.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from rootcause.load.lost import Lost
from rootcause.load.spans import Span


@dataclass(frozen=True, slots=True)
class Call:
    """One call as its request shows it; `measured`: by a span of the caller's."""

    start_ns: int
    end_ns: int
    callee: str
    measured: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A request and its calls."""

    request: Span
    calls: Sequence[Call]


def unseen_ns(requests: Sequence[Seen], lost: Lost, step_s: float) -> list[float]:
    """One figure a request, in their order."""
    found = [0.0] * len(requests)
    if not any((lost.overall, *lost.shares.values())):
        return found
    routes: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, seen in enumerate(requests):
        routes[seen.request.service, seen.request.name].append(index)
    for (service, _), indices in routes.items():
        route = [requests[index] for index in indices]
        waits = [alone_ns(seen.calls) for seen in route]
        buckets = [seen.request.start_ns / 1e9 // step_s for seen in route]
        for callee, share in _lost_calls(service, route, lost).items():
            made = [sum(call.callee == callee for call in seen.calls) for seen in route]
            each = _share_of_missing(made, share)
            mean_ns = _means(buckets, made, [wait[callee] for wait in waits])
            for index, bucket, many in zip(indices, buckets, made, strict=True):
                found[index] += each * (max(made) - many) * mean_ns[bucket]
    return found


def alone_ns(calls: Sequence[Call]) -> Counter[str]:
    """By callee, the time in which a call to it was the only one in flight."""
    edges = sorted(
        [(call.start_ns, True, place) for place, call in enumerate(calls)]
        + [(call.end_ns, False, place) for place, call in enumerate(calls)]
    )
    found: Counter[str] = Counter()
    flying: set[int] = set()
    since = 0
    for at, begins, place in edges:
        if len(flying) == 1:
            found[calls[next(iter(flying))].callee] += at - since
        since = at
        if begins:
            flying.add(place)
        else:
            flying.discard(place)
    return found


def _lost_calls(service: str, requests: Sequence[Seen], lost: Lost) -> dict[str, float]:
    """By callee the share of calls without a span: the caller's, or the callee's where callers record none."""
    measured = {call.callee: call.measured for seen in requests for call in seen.calls}
    shares = {callee: lost.at_most(service if by_caller else callee) for callee, by_caller in measured.items()}
    return {callee: share for callee, share in shares.items() if share}


def _share_of_missing(made: Sequence[int], share: float) -> float:
    """How many calls were lost of each that a request has less than the one with most of them: all, where as many may
    be lost at random."""
    all_made, seen = max(made) * len(made), sum(made)
    if seen >= all_made * (1 - share) - 2 * sqrt(all_made * share * (1 - share)):
        return 1.0
    return min(1.0, seen * share / (1 - share) / (all_made - seen))


def _means(buckets: Sequence[float], made: Sequence[int], waited: Sequence[int]) -> Mapping[float, float]:
    """Of one call by bucket; of all of them where a bucket has none."""
    calls: Counter[float] = Counter()
    total: Counter[float] = Counter()
    for bucket, many, ns in zip(buckets, made, waited, strict=True):
        calls[bucket] += many
        total[bucket] += ns
    mean = total.total() / calls.total()
    return {bucket: total[bucket] / many if many else mean for bucket, many in calls.items()}
