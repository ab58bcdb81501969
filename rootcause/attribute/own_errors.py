"""How many more requests each service fails by its own doing, by exact tests on counts."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rootcause.detect.chance import log_fisher
from rootcause.load.window import Served, Window

MIN_ERRORS = 3
"""One or two failures are nobody's incident."""


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
    """Services with more own errors than chance explains, on their worst route at least."""
    before, now = _by_route(baseline.served), _by_route(observed.served)
    reasons = _reasons(observed.served)
    found: dict[str, ErrorShift] = {}
    for service in {service for service, _ in now}:
        routes = [key for key in now if key[0] == service]
        tests = [compare(*now[key], *before.get(key, (0, 0))) for key in routes]
        new = [compare(*now[key], *_whole(before, service)) for key in routes if key not in before]
        raised = [shift for shift in tests + new if shift is not None]
        if raised:
            found[service] = _together(raised, sum(now[key][1] for key in routes), reasons.get(service, ""))
    return found


def compare(failed: int, of: int, failed_before: int, of_before: int) -> ErrorShift | None:
    """One rate against its normal; None when it did not rise, or there are too few failures to speak of."""
    if of == 0 or of_before == 0 or failed < MIN_ERRORS:
        return None
    usual, rate = failed_before / of_before, failed / of
    if rate <= usual:
        return None
    return ErrorShift(usual, rate, of, failed - usual * of, log_fisher(failed, of, failed_before, of_before))


def _together(raised: list[ErrorShift], calls: int, reason: str) -> ErrorShift:
    """Several routes of one service: their failures add up, the clearest one says how sure that is."""
    of = sum(shift.calls for shift in raised)
    usual = sum(shift.baseline_rate * shift.calls for shift in raised) / of
    excess = sum(shift.excess for shift in raised)
    chance = min(shift.log_chance for shift in raised)
    return ErrorShift(usual, usual + excess / of, calls, excess, chance, reason)


def _by_route(rows: Iterable[Served]) -> dict[tuple[str, str], tuple[int, int]]:
    sums: dict[tuple[str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in rows:
        failed, of = sums[row.service, row.route]
        for bucket in row.buckets:
            failed, of = failed + bucket.own_errors, of + bucket.calls
        sums[row.service, row.route] = failed, of
    return dict(sums)


def _whole(by_route: dict[tuple[str, str], tuple[int, int]], service: str) -> tuple[int, int]:
    parts = [value for key, value in by_route.items() if key[0] == service]
    return sum(failed for failed, _ in parts), sum(of for _, of in parts)


def _reasons(rows: Iterable[Served]) -> dict[str, str]:
    """The code the mesh gave most often for each service."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        seen[row.service].update(row.reasons)
    return {service: counter.most_common(1)[0][0] for service, counter in seen.items() if counter}
