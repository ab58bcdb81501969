"""Says which figures of a finding are of a part of the traffic only, for spans are missing.

In: the verdict, the shares of traffic that have spans. Out: gaps, worst first, of the culprit and those next to it.
"""

from __future__ import annotations

from rootcause.attribute.graph import Graph
from rootcause.explain.finding import Gap
from rootcause.explain.quantities import percent
from rootcause.judge.diagnose import Verdict
from rootcause.load.window import Window

COMPLETE = 0.9
"""From this share on nobody would judge otherwise: counters and spans differ by some percent at edges of buckets."""


def gaps_of(verdict: Verdict, graph: Graph, observed: Window) -> tuple[Gap, ...]:
    """None where everything has a span, or nobody counts."""
    culprit = verdict.suspects[0].service
    near = {culprit, *graph.callers(culprit), *graph.callees(culprit)}
    found = [(share, name) for name, share in observed.captured.items() if name in near and share < COMPLETE]
    return tuple(
        Gap(
            service=name,
            captured=round(share, 3),
            statement=f"only {percent(share)} of the requests and calls of {name} have spans",
        )
        for share, name in sorted(found)
    )
