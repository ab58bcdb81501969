"""Which services run on something that is full now and usually is not.

In: shares of processor and memory in use by instance. Out: the fullest resource of each service, where it is new.
"""

from dataclasses import dataclass

from rootcause.load.window import Usage, Window

FULL = 0.8
"""From this share on work queues up: at 80 % in use the mean wait of a single server is four times its work (M/M/1)."""
_NEW = 0.3
"""By how much more than in nearly all normal time: what is always full is how the service is run."""
_NEARLY_ALL = 0.95
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Saturation:
    """Shares (0..1) of `resource` of one instance: in nearly all normal time, and at the most now."""

    service: str
    instance: str
    resource: str
    baseline: float
    observed: float


def saturations(baseline: Window, observed: Window) -> dict[str, Saturation]:
    """By service; instances that normal time did not know are compared with their siblings then."""
    found: dict[str, Saturation] = {}
    for usage in observed.usage:
        most = max(usage.shares)
        usual = _usual(baseline, usage) if most >= FULL else None
        if usual is None or most - usual < _NEW:
            continue
        held = found.get(usage.service)
        if held is None or most - usual > held.observed - held.baseline:
            found[usage.service] = Saturation(usage.service, usage.instance, usage.resource, usual, most)
    return found


def _usual(baseline: Window, usage: Usage) -> float | None:
    siblings = [row for row in baseline.usage if (row.service, row.resource) == (usage.service, usage.resource)]
    same = [row for row in siblings if row.instance == usage.instance]
    shares = sorted(share for row in same or siblings for share in row.shares)
    return shares[int(_NEARLY_ALL * (len(shares) - 1))] if len(shares) >= _FEWEST else None
