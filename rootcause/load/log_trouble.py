"""Turns log lines that name no span into steps: in which buckets of time a service complained of what.

In: log lines of both windows. Out: a step for each pattern of trouble and how often it comes in a bucket. What services
say when all is well, outside of requests, goes by timers and jobs; only lines that tell of trouble are counted.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence, Set

from rootcause.load.log_patterns import Log, Patterns
from rootcause.load.step_names import logged
from rootcause.load.window import OF_TIME, REQUEST, STEP_S, Interval, Step

_SEVERE = re.compile(r"^(warn|err|fatal|crit|alert|emerg|severe|panic)", re.IGNORECASE)
TROUBLE_WORDS = (
    *("error", "exception", "fail", "panic", "fatal", "traceback", "refused", "denied", "unavailable", "timeout"),
    *("time-out", "timed out", "unreachable", "killed", "oom", "out of memory", "broken pipe", "connection reset"),
    "deadline exceeded",
)
"""Trouble in the words of most languages' libraries, and of the systems below them."""
_TROUBLE = re.compile(
    rf"\b({'|'.join(TROUBLE_WORDS)})(s|ed|ure|ures)?\b|(?-i:\w(Error|Exception)\b)",
    re.IGNORECASE,
)

_OF_A_CALL = re.compile(
    r"\b(answer|call(ing|ed|s)?|connect(ion)?|deadline|gateway|peer|reconnecting|refused|request|response|retry(ing)?|rpc"
    r"|status|timed|timeout|unavailable|unreachable|upstream)\b",
    re.IGNORECASE,
)
"""Words that tell of another one's failure, or of nothing but that the own request failed."""

Lines = tuple[Iterable[Log], Sequence[Interval]]
"""Log lines, and the stretch of time that they are taken from."""


def tells_of_trouble(severity: str, body: str) -> bool:
    """By its severity, or by its words where a logger has no severities."""
    return bool(_SEVERE.match(severity) or _TROUBLE.search(body))


def is_of_a_call(text: str) -> bool:
    """Whether a complaint may be about somebody else, or passes on that a request failed; one that names what went
    wrong inside is not."""
    return bool(_OF_A_CALL.search(text))


def trouble_told(*windows: Lines) -> list[tuple[Step, ...]]:
    """For each window, in how many of its buckets each service told of which trouble, and how often in one; the
    same patterns in all windows."""
    patterns = Patterns()
    told = [([log for log in logs if any(log.time in part for part in within)], within) for logs, within in windows]
    placed = [[(patterns.group(log), log) for log in logs if _counts(log)] for logs, _ in told]
    services = {log.service for logs, _ in told for log in logs}
    found = []
    for lines, (_, within) in zip(placed, told, strict=True):
        often: Counter[tuple[str, str, float]] = Counter()
        for group, log in lines:
            if group is not None:
                often[log.service, logged(group.text), log.time // STEP_S] += log.times
        found.append(_steps(services, often, max(1, round(sum(part.seconds for part in within) / STEP_S))))
    return found


def _counts(log: Log) -> bool:
    return not log.span and tells_of_trouble(log.severity, log.body)


def _steps(services: Set[str], often: Counter[tuple[str, str, float]], buckets: int) -> tuple[Step, ...]:
    """Parts of buckets at either end of a stretch count as one."""
    told: dict[tuple[str, str], list[int]] = defaultdict(list)
    for (service, pattern, _), times in often.items():
        told[service, pattern].append(times)
    found = [Step(service, OF_TIME, REQUEST, buckets, ((1, buckets),)) for service in sorted(services)]
    for (service, pattern), each in sorted(told.items()):
        most = Counter(sorted(each, reverse=True)[:buckets])
        found.append(Step(service, OF_TIME, pattern, buckets, tuple(sorted(most.items()))))
    return tuple(found)
