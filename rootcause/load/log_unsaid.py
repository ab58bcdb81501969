"""Turns log lines that name no span into steps of what services no longer say, though they say the rest: in which
buckets of time a line was missing that is nearly always there. It is the mark of requests that end early.

In: log lines of both windows. Out: a step for each line that normal time was hardly ever without. A service that is
not asked any more says nothing at all, which is not told here; nor is a line of which nobody knows that others of the
same service go on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rootcause.load.log_patterns import Log, Patterns
from rootcause.load.log_trouble import Lines, tells_of_trouble
from rootcause.load.step_names import unsaid
from rootcause.load.window import OF_TIME, STEP_S, Interval, Step

_NEARLY_ALWAYS = 0.95
_FEWEST = 10
"""Buckets of normal time."""

Written = Mapping[str, Mapping[int, Counter[str]]]
"""How often which pattern was written, by service and bucket."""


def no_longer_said(before: Lines, now: Lines) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """For each window, in how many of its buckets each line was missing that others of its service were not."""
    patterns = Patterns()
    usual, seen = _written(patterns, *before), _written(patterns, *now)
    buckets = _buckets(before[1]), _buckets(now[1])
    found: tuple[list[Step], list[Step]] = ([], [])
    for service in sorted(usual.keys() & seen.keys()):
        always = _always(usual[service], buckets[0])
        for text in always if len(always) > 1 else ():
            others = {other: many for other, many in always.items() if other != text}
            for steps, written, of in zip(found, (usual, seen), buckets, strict=True):
                missing = sum(_lacks(said, text, others) for said in written[service].values())
                steps.append(Step(service, OF_TIME, unsaid(text), of, ((1, min(missing, of)),) if missing else ()))
    return tuple(found[0]), tuple(found[1])


def _written(patterns: Patterns, logs: Iterable[Log], within: Sequence[Interval]) -> Written:
    """Groups grow wider while lines are read, so that their words are asked for in the end."""
    lines = [(log, patterns.group(log)) for log in logs if not log.span and any(log.time in part for part in within)]
    found: dict[str, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for log, group in lines:
        if group is not None and not tells_of_trouble(log.severity, group.text):
            found[log.service][int(log.time // STEP_S)][group.text] += log.times
    return found


def _buckets(within: Sequence[Interval]) -> int:
    return max(1, round(sum(part.seconds for part in within) / STEP_S))


def _lacks(said: Counter[str], text: str, others: Mapping[str, float]) -> bool:
    """Whether all others are written at least half as often as usual, and this one not at all."""
    return not said[text] and all(2 * said[other] >= many for other, many in others.items())


def _always(by_bucket: Mapping[int, Counter[str]], buckets: int) -> dict[str, float]:
    """Patterns that hardly any bucket is without, and how often they usually are in one."""
    if buckets < _FEWEST:
        return {}
    present: Counter[str] = Counter()
    for said in by_bucket.values():
        present.update(said.keys())
    return {
        text: sum(said[text] for said in by_bucket.values()) / many
        for text, many in sorted(present.items())
        if many >= _NEARLY_ALWAYS * buckets
    }
