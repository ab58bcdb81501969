"""How full what an instance runs on is: its processor and its memory, in parts of what it may use.

In: metric samples. Out: for each instance and resource the shares seen in some intervals.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rootcause.load.window import Interval, Usage


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement; `share` is 0..1 of the limit, more when the limit is soft."""

    time: float
    service: str
    instance: str
    resource: str
    share: float


def used(samples: Iterable[Sample], intervals: Sequence[Interval]) -> tuple[Usage, ...]:
    """The samples inside the intervals, by service, instance and resource."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for sample in samples:
        if any(sample.time in interval for interval in intervals):
            found[sample.service, sample.instance, sample.resource].append(sample.share)
    return tuple(Usage(*key, tuple(shares)) for key, shares in sorted(found.items()))
