"""Leaves out log lines that tell of how logs are collected and not of what requests do.

In: the lines in the sampled requests of normal time and of the time in question. Out: those that can be compared.
Lines come late or not at all where a collector of logs is slow or gone; and all of a service's are new when its logs
have only begun to be collected.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from math import log1p

from rootcause.load.log_patterns import Placed
from rootcause.load.log_trouble import tells_of_trouble
from rootcause.load.spans import Span

_SILENT = -12.0
"""Log of the probability, from which it is no chance that a service instance writes nothing any more."""
_NEARLY_ALWAYS = 0.95
"""However surely a span has lines, the newest of them may still be on their way."""


Instances = Callable[[Set[str], Sequence[Span]], Mapping[str, str]]
"""By span id, the instance that served it: of these services, of which less is heard than before."""


def heard(
    spans_before: Sequence[Span],
    before: Sequence[Placed],
    spans: Sequence[Span],
    now: Sequence[Placed],
    instances: Instances,
) -> tuple[list[Placed], list[Placed]]:
    """Without DEBUG and TRACE, which are turned on and off, and without the lines of a service that has an instance
    which writes none any more, in any request: who says nothing may not be heard. Of one that wrote none before, with
    those only that tell of trouble."""
    of = {span.id: span.service for span in (*spans_before, *spans)}
    usual = {of[line.span] for line in before}
    silent = _silent(
        spans, {line.span for line in now}, _shares(spans_before, {line.span for line in before}), instances
    )
    left = [[line for line in lines if of[line.span] not in silent and not _verbose(line)] for lines in (before, now)]
    return left[0], [line for line in left[1] if of[line.span] in usual or _of_trouble(line)]


def _verbose(line: Placed) -> bool:
    """Written for those who look for bugs, by the level that a structured body names."""
    return line.group.text.startswith(("DEBUG ", "TRACE "))


def _of_trouble(line: Placed) -> bool:
    """Its pattern begins with its severity."""
    return tells_of_trouble(line.group.text, line.group.text)


def _shares(spans: Sequence[Span], spoken: Set[str]) -> dict[tuple[str, str], float]:
    """Of each service's spans of one name the share that has lines."""
    everything = Counter((span.service, span.name) for span in spans)
    some = Counter((span.service, span.name) for span in spans if span.id in spoken)
    return {which: many / everything[which] for which, many in some.items()}


def _silent(
    spans: Sequence[Span], spoken: Set[str], shares: Mapping[tuple[str, str], float], instances: Instances
) -> set[str]:
    """Services with an instance whose newest spans have no lines, more of them than chance leaves without."""
    without = {span.id: log1p(-min(shares.get((span.service, span.name), 0.0), _NEARLY_ALWAYS)) for span in spans}
    quiet: dict[str, float] = defaultdict(float)
    for span in spans:
        quiet[span.service] += 0.0 if span.id in spoken else without[span.id]
    doubtful = {service for service, log_chance in quiet.items() if log_chance <= _SILENT}
    if not doubtful:
        return set()
    served_by = instances(doubtful, spans)
    chance: dict[tuple[str, str], float] = {}
    for span in sorted(spans, key=lambda span: span.start_ns):
        instance = span.service, served_by.get(span.id, "")
        chance[instance] = 0.0 if span.id in spoken else chance.get(instance, 0.0) + without[span.id]
    return {service for (service, _), log_chance in chance.items() if service in doubtful and log_chance <= _SILENT}
