"""How many more requests each service fails by its own doing, by exact tests on counts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rootcause.detect.chance import log_fisher
from rootcause.load.window import Served, Traffic, Window, calls, once

MIN_ERRORS = 3
"""One or two failures are nobody's incident."""

Route = tuple[str, str]
"""Service and route."""
Counts = tuple[int, int]
"""How many failed, of how many."""


@dataclass(frozen=True, slots=True)
class ErrorShift:
    """Rates are 0..1; `excess` is the number of failures beyond the normal rate; `log_chance` the log of the
    probability that this is chance."""

    baseline_rate: float
    observed_rate: float
    calls: int
    excess: float
    log_chance: float
    reason: str = ""

    @property
    def added_rate(self) -> float:
        """How much of the requests fails more than usual."""
        return self.observed_rate - self.baseline_rate


def own_error_shifts(baseline: Window, observed: Window) -> dict[str, ErrorShift]:
    """Services with more own errors than chance explains, on their worst route at least, or on those together that
    never failed. Errors that are swallowed count; where normal ones hide what now reaches the caller, that alone."""
    reasons = _reasons(observed.served)
    found: dict[str, ErrorShift] = {}
    for counted in (_own, _own_told):
        before, now = counted(baseline.traffic), counted(observed.traffic)
        for service, routes in sorted(_by_service(now).items()):
            tests = [compare(*now[key], *before.get(key, (0, 0))) for key in routes]
            new = [compare(*now[key], *_whole(before, service)) for key in routes if key not in before]
            raised = [shift for shift in tests + new if shift is not None]
            if raised:
                of = sum(now[key][1] for key in routes)
                chance = _never_failed(routes, before, now)
                shift = _together(raised, of, reasons.get(service, ""), chance)
                if service not in found or shift.log_chance < found[service].log_chance:
                    found[service] = shift
    return found


def compare(failed: int, of: int, failed_before: int, of_before: int) -> ErrorShift | None:
    """One rate against its normal; None when it did not rise, or there are too few failures to speak of."""
    if of == 0 or of_before == 0 or failed < MIN_ERRORS:
        return None
    usual, rate = failed_before / of_before, failed / of
    if rate <= usual:
        return None
    return ErrorShift(usual, rate, of, failed - usual * of, log_fisher(failed, of, failed_before, of_before))


def _together(raised: list[ErrorShift], calls: int, reason: str, together: float) -> ErrorShift:
    """Several routes of one service: their failures add up, the clearest one, or those `together` that never failed,
    say how sure that is."""
    of = sum(shift.calls for shift in raised)
    usual = sum(shift.baseline_rate * shift.calls for shift in raised) / of
    excess = sum(shift.excess for shift in raised)
    chance = min(together, *(shift.log_chance for shift in raised))
    return ErrorShift(usual, usual + excess / of, calls, excess, chance, reason)


def _never_failed(routes: Iterable[Route], before: Mapping[Route, Counts], now: Mapping[Route, Counts]) -> float:
    """Log of the chance that routes which never failed do so now: few requests of each are many of all, and what mix of
    them is asked for makes no difference."""
    clean = [route for route in routes if route in before and before[route][0] == 0]
    shift = compare(*_sum(now[route] for route in clean), *_sum(before[route] for route in clean))
    return shift.log_chance if shift is not None else 0.0


def _sum(counts: Iterable[Counts]) -> Counts:
    together = list(counts)
    return sum(failed for failed, _ in together), sum(of for _, of in together)


@once
def _own(traffic: Traffic) -> Mapping[Route, Counts]:
    return _sums((row, sum(bucket.own_errors for bucket in row.buckets)) for row in traffic.served)


@once
def _own_told(traffic: Traffic) -> Mapping[Route, Counts]:
    """At most so many of its own errors can have reached the caller."""
    return _sums((row, sum(min(bucket.own_errors, bucket.errors) for bucket in row.buckets)) for row in traffic.served)


def _sums(rows: Iterable[tuple[Served, int]]) -> Mapping[Route, Counts]:
    sums: dict[Route, Counts] = {}
    for row, failed in rows:
        had, of = sums.get((row.service, row.route), (0, 0))
        sums[row.service, row.route] = had + failed, of + calls(row.buckets)
    return sums


def _by_service(routes: Iterable[Route]) -> Mapping[str, Sequence[Route]]:
    found: dict[str, list[Route]] = defaultdict(list)
    for route in routes:
        found[route[0]].append(route)
    return found


def _whole(by_route: Mapping[Route, Counts], service: str) -> Counts:
    return _sum(value for key, value in by_route.items() if key[0] == service)


def _reasons(rows: Iterable[Served]) -> dict[str, str]:
    """The code the mesh gave most often for each service."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        seen[row.service].update(row.reasons)
    return {service: counter.most_common(1)[0][0] for service, counter in seen.items() if counter}
