"""Which part of what is felt of a service is likely to be its own, where nobody knows who calls whom.

In: strays by service. Out: by service and kind, a share (0..1) of the one that is likeliest to be the deepest. The time
of a caller holds that of its calls, so that what one callee adds, however often it is called, is the smaller a part of
what a request usually takes the further up one looks. A request that fails for a callee has at least one failed call in
it, so that failures are not more further up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

from rootcause.attribute.strays import Stray
from rootcause.load.metric_names import Tells

_LEAST_OWN = 0.5
"""Not all that is waited for is measured."""


def shares_of_felt(strays: Mapping[str, Sequence[Stray]]) -> dict[str, dict[str, float]]:
    """By service and kind; of several metrics of a kind the mean."""
    added: dict[tuple[Tells, str, bool], dict[str, float]] = defaultdict(dict)
    for service, several in strays.items():
        for stray in several:
            much = _added(stray)
            if much > 0:
                of = added[stray.tells, stray.metric, stray.rises]
                of[service] = max(of.get(service, 0.0), much)
    parts: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (kind, _, _), by_service in added.items():
        most = max(by_service.values())
        for service, much in by_service.items():
            parts[service][kind.value].append(much / most)
    found = {service: {kind: fmean(some) for kind, some in kinds.items()} for service, kinds in parts.items()}
    for service, shares in found.items():
        if Tells.LATENCY.value in shares:
            shares[Tells.LATENCY.value] *= _own(strays[service])
    return found


def _own(several: Sequence[Stray]) -> float:
    """The part of its added time that it does not wait for its calls."""
    more = {
        kind: max((one.observed - one.baseline for one in several if one.tells is kind and one.rises), default=0.0)
        for kind in (Tells.LATENCY, Tells.WAITED)
    }
    return max(_LEAST_OWN, 1.0 - more[Tells.WAITED] / more[Tells.LATENCY]) if more[Tells.LATENCY] > 0 else 1.0


def _added(stray: Stray) -> float:
    """How much worse it is, in a measure that does not grow from callee to caller; 0 of what is not felt."""
    more = stray.observed - stray.baseline
    if stray.tells is Tells.LATENCY:
        return abs(stray.grown - 1.0)
    if stray.tells is Tells.ERRORS:
        return more
    if stray.tells is Tells.SUCCESS:
        return -more
    return 0.0
