"""Finds entry points that users hardly ask any more while they go on asking for the rest, and says when they ask less
of everything.

In: both windows. Out: symptoms; of users who just ask less, the fall, which is nobody's fault. Never: a culprit, for
what keeps requests away before they reach the mesh is not seen from inside of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from rootcause.detect.fewer import Counted, Fall, fall_of
from rootcause.detect.symptom import Symptom
from rootcause.load.window import STEP_S, Traffic, Window, once

NOTICEABLE = 0.05
"""What is less than this part of all requests is too little asked for anybody to notice that nobody does."""

_Entry = tuple[str, str]


def unasked_entries(baseline: Window, observed: Window) -> list[Symptom]:
    """Entry points hardly asked any more, compared with all others; the one that most requests are missing of first."""
    before, now = _asked(baseline.traffic), _asked(observed.traffic)
    all_before, all_now = _together(before), _together(now)
    found = []
    for entry, usual in before.items():
        seen = now.get(entry, {})
        fall = fall_of(_beside(usual, all_before), _beside(seen, all_now))
        if fall is not None and fall.expected >= NOTICEABLE * observed.entry_calls:
            rates = sum(usual.values()) / baseline.covered_s, sum(seen.values()) / observed.seconds
            share = fall.missing / (fall.missing + observed.entry_calls)
            found.append(Symptom(*entry, "throughput", *rates, share, -fall.log_chance))
    return sorted(found, key=lambda symptom: -symptom.severity)


def less_asked(baseline: Window, observed: Window) -> Fall | None:
    """How much less is asked of all entry points together, in requests a bucket: the fullest one is not the one that
    has only begun."""
    before, now = _together(_asked(baseline.traffic)), _together(_asked(observed.traffic))
    if not now:
        return None
    fullest = max(now, key=lambda start: now[start])
    return fall_of({start: Counted(1, many) for start, many in before.items()}, {fullest: Counted(1, now[fullest])})


def told(fall: Fall) -> str:
    """In words."""
    return f"users ask less: {fall.observed / STEP_S:.1f} requests a second, usually {fall.baseline / STEP_S:.1f}"


@once
def _asked(traffic: Traffic) -> Mapping[_Entry, Mapping[float, int]]:
    found: dict[_Entry, dict[float, int]] = defaultdict(dict)
    for row in traffic.served:
        if row.entry:
            into = found[row.service, row.route]
            for bucket in row.buckets:
                into[bucket.start] = into.get(bucket.start, 0) + bucket.calls
    return found


def _together(asked: Mapping[_Entry, Mapping[float, int]]) -> dict[float, int]:
    found: dict[float, int] = defaultdict(int)
    for series in asked.values():
        for start, many in series.items():
            found[start] += many
    return found


def _beside(one: Mapping[float, int], all_of_them: Mapping[float, int]) -> dict[float, Counted]:
    """Each request for something else was a chance to ask for this."""
    return {start: Counted(many - one.get(start, 0), one.get(start, 0)) for start, many in all_of_them.items()}
