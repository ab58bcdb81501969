"""Learns whom a span calls, so that a call which never arrives still says whom it was for.

In: spans of any time, best of all normal ones. Out: callees by what the caller's span says of itself. Only what was
seen to lead to one and the same service, nearly always, is learned.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from rootcause.load.lost import lost_of
from rootcause.load.spans import Kind, Span

Calling = tuple[str, str, str]
"""Service, name and peer of the calling span: client libraries name a span by method, by peer, or by both."""
Callees = Mapping[Calling, str]
NOTHING_LEARNED: Callees = {}

_NEARLY_ALWAYS = 0.9
_FEWEST = 3


def calling(span: Span) -> Calling:
    """What the span says of the call it makes."""
    return span.service, span.name, span.peer


def callees_of(*windows: Iterable[Span]) -> Callees:
    """Callees by the calling span. A name that leads to several services, or often to none, says nothing. A span that
    was sent twice counts once."""
    by_id = {(span.trace, span.id): span for window in windows for span in window}
    spans = by_id.values()
    led: dict[Calling, Counter[str]] = defaultdict(Counter)
    leading: set[tuple[str, str]] = set()
    for span in spans:
        parent = by_id.get((span.trace, span.parent))
        if parent is not None and (parent.service != span.service or span.kind is Kind.SERVER):
            led[calling(parent)][span.service] += (parent.trace, parent.id) not in leading
            leading.add((parent.trace, parent.id))
    made = Counter(calling(span) for span in spans if calling(span) in led)
    lost = lost_of(spans, by_id)
    found = {}
    for call, counted in led.items():
        callee, times = counted.most_common(1)[0]
        if times >= _FEWEST and times >= _NEARLY_ALWAYS * made[call] * (1 - lost.at_most(callee)) and callee != call[0]:
            found[call] = callee
    return found
