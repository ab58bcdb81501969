"""Turns log lines that name spans into steps where nobody recorded the spans: what is said in how many of them.

In: log lines of both windows. Out: steps of each service, a span being as good as a request.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from rootcause.load.log_patterns import Log, Said, said
from rootcause.load.window import REQUEST, Interval, Step

OF_SPANS = "span"
"""The route of these steps."""

Lines = tuple[Iterable[Log], Sequence[Interval]]


def steps_said(*windows: Lines) -> list[tuple[Step, ...]]:
    """For each window, in how many of the spans of each service which pattern was logged, and how often."""
    inside = [
        [log for log in logs if log.span and any(log.time in part for part in within)] for logs, within in windows
    ]
    return [_steps(lines, patterns) for lines, patterns in zip(inside, said(*inside), strict=True)]


def _steps(lines: Iterable[Log], patterns: Said) -> tuple[Step, ...]:
    spans: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        spans[line.service].add(line.span)
    found = []
    for service, ids in sorted(spans.items()):
        often: dict[str, Counter[int]] = defaultdict(Counter)
        often[REQUEST][1] = len(ids)
        for name, times in (pair for id in ids for pair in patterns.get(id, {}).items()):
            often[name][times] += 1
        found += [Step(service, OF_SPANS, name, len(ids), tuple(sorted(many.items()))) for name, many in often.items()]
    return tuple(found)
