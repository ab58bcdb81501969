"""How much each link adds between caller and callee: what the caller waited less what the callee worked, and calls that
failed without the callee knowing.

A callee that sends no spans has no view of its own; then all of the caller's wait is the link's, and names the callee.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from rootcause.attribute.own_errors import ErrorShift, compare
from rootcause.attribute.own_time import call_spread
from rootcause.detect.baseline import Normal, Sample, Shift, at_least, normal_of, shift_of
from rootcause.detect.exceeding import Measured, exceeding
from rootcause.load.window import Traffic, Window, calls, once

Ends = tuple[str, str]
"""Source and destination."""


@dataclass(frozen=True, slots=True)
class LinkShift:
    """What changed between `source` and `destination`; `calls` are those observed."""

    source: str
    destination: str
    calls: int
    time: Shift | None
    errors: ErrorShift | None


@dataclass(slots=True)
class _View:
    calls: int = 0
    total_ms: float = 0.0
    errors: int = 0


@dataclass
class _Link:
    """Both ends by bucket; what follows from them is asked once both are whole."""

    source: dict[float, _View]
    destination: dict[float, _View]
    tail_ms: float = 0.0
    waits: list[Measured] = field(default_factory=list)
    lost: int | None = None

    def gaps(self, usual_work_ms: float | None = None) -> dict[float, Sample]:
        """Mean wait less mean work, by bucket, over the caller's calls.

        Where nothing is seen of the callee it is taken to have worked as usual, if it is told what that is: whoever
        waits longer then waits for an answer that does not come.
        """
        out = {}
        for start, seen in self.source.items():
            work = self.destination.get(start)
            worked = work.total_ms / work.calls if work is not None else usual_work_ms
            if worked is None and not self.destination:
                worked = 0.0
            if seen.calls and worked is not None:
                out[start] = Sample(seen.calls, seen.total_ms / seen.calls - worked)
        return out

    @cached_property
    def normal(self) -> Normal | None:
        """Of these gaps."""
        return normal_of(list(self.gaps().values()), self.tail_ms)

    @cached_property
    def work_ms(self) -> float | None:
        """Mean time that the callee worked; None where it does not tell."""
        calls = sum(view.calls for view in self.destination.values())
        return sum(view.total_ms for view in self.destination.values()) / calls if calls else None

    @cached_property
    def calls(self) -> int:
        return sum(view.calls for view in self.source.values())

    @cached_property
    def unseen_errors(self) -> int:
        """Calls that failed for the caller beyond those that the callee failed.

        Where proxies tell, no more than they know to be lost: the callee's spans may just come later than the caller's.
        """
        failed = sum(view.errors for view in self.source.values())
        unseen = max(0, failed - sum(view.errors for view in self.destination.values()))
        return unseen if self.lost is None else min(unseen, self.lost)


def link_shifts(baseline: Window, observed: Window) -> dict[Ends, LinkShift]:
    """Shift of each link that was used in both windows."""
    before, now = _links(baseline.traffic), _links(observed.traffic)
    reasons = _reasons(observed)
    found = {}
    for ends, link in now.items():
        usual = before.get(ends)
        # A callee that began to send spans in between leaves nothing alike to compare.
        if usual is None or not link.calls or (link.destination and not usual.destination):
            continue
        errors = compare(link.unseen_errors, link.calls, usual.unseen_errors, usual.calls)
        if errors is not None:
            errors = replace(errors, reason=reasons.get(ends, ""))
        found[ends] = LinkShift(*ends, link.calls, _time(usual, link), errors)
    return found


def mean_gaps(window: Window, ends: Ends) -> dict[float, tuple[float, float]]:
    """Between the ends of one link, by bucket: the caller's calls, and what they waited beyond the callee's work in
    ms, all together."""
    links = _links(window.traffic)
    gaps = links[ends].gaps() if ends in links else {}
    return {start: (sample.calls, sample.calls * sample.mean_ms) for start, sample in gaps.items()}


def _time(usual: _Link, link: _Link) -> Shift | None:
    # Where a proxy tells which calls were lost, those it does not name have a span that just comes later.
    work_ms = usual.work_ms if link.lost is None else None
    if usual.destination and not link.destination and work_ms is None:
        return None
    shift = shift_of([(usual.normal, link.gaps(work_ms))]) if usual.normal is not None else None
    return at_least(shift, exceeding(usual.waits, link.waits)) if shift is not None else None


@once
def _links(traffic: Traffic) -> Mapping[Ends, _Link]:
    links: dict[Ends, _Link] = {}
    for row in traffic.called:
        if not row.source:
            continue
        link = links.setdefault((row.source, row.destination), _Link({}, {}))
        if row.by_source and row.lost is not None:
            link.lost = (link.lost or 0) + row.lost
        views = link.source if row.by_source else link.destination
        for bucket in row.buckets:
            view = views.setdefault(bucket.start, _View())
            view.calls += bucket.calls
            view.total_ms += bucket.total_ms
            view.errors += bucket.errors
        if row.by_source and row.durations is not None and not row.destination_instance:
            link.tail_ms = max(link.tail_ms, call_spread(row.durations))
            link.waits.append((calls(row.buckets), row.durations))
    return links


def _reasons(window: Window) -> dict[Ends, str]:
    seen: dict[Ends, Counter[str]] = defaultdict(Counter)
    for row in window.called:
        if row.by_source:
            seen[row.source, row.destination].update(row.reasons)
    return {ends: counter.most_common(1)[0][0] for ends, counter in seen.items() if counter}
