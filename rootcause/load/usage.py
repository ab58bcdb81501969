"""How full what an instance runs on is, in parts of what it may use, and how much it uses up where nobody knows that.

In: metric samples. Out: for each instance and resource what was seen in some intervals.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rootcause.load.window import Amount, Interval, Usage


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of a resource: 0..1 of the limit, more when the limit is soft; or an amount, then `resource` is
    the metric."""

    time: float
    service: str
    instance: str
    resource: str
    value: float


def used(samples: Iterable[Sample], intervals: Sequence[Interval]) -> tuple[Usage, ...]:
    """The shares inside the intervals, by service, instance and resource."""
    return tuple(Usage(*key, values) for key, values in _inside(samples, intervals))


def used_up(samples: Iterable[Sample], intervals: Sequence[Interval]) -> tuple[Amount, ...]:
    """The amounts inside the intervals, by service, instance and metric."""
    return tuple(Amount(*key, values) for key, values in _inside(samples, intervals))


def _inside(
    samples: Iterable[Sample], intervals: Sequence[Interval]
) -> list[tuple[tuple[str, str, str], tuple[float, ...]]]:
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for sample in samples:
        if any(sample.time in interval for interval in intervals):
            found[sample.service, sample.instance, sample.resource].append(sample.value)
    return [(key, tuple(values)) for key, values in sorted(found.items())]
