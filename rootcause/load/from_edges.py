"""Turns series of nodes and edges into a window, for recordings that hold no spans.

In: rows per time step of whole nodes, of edges, or of both, and a static call graph where there is one. Out: the same
Window as from spans, where own time and own errors are what a node's calls do not account for. What a call took is
what the caller measured, else what the callee did; a callee of which only the whole is known is shared out among its
callers by their requests, since nothing says who called it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rootcause.load.edge_rows import EdgeRow
from rootcause.load.untold import REACH, next_to, told
from rootcause.load.window import Bucket, Called, Interval, Quantiles, Served, Window

Ends = tuple[str, str]
_SURELY_SOME = 5.0
"""Where so many requests come in a step, none is less likely than a lost row: seven in a thousand."""


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of some rows of one step."""

    requests: float = 0.0
    failed: float = 0.0
    total_ms: float = 0.0

    def part(self, share: float) -> "_Sums":
        return _Sums(self.requests * share, self.failed * share, self.total_ms * share)


class _Step:
    """What was measured in one step: each node as a whole, each edge as either end saw it."""

    def __init__(self, rows: Iterable[EdgeRow]) -> None:
        self.by_caller: dict[Ends, list[EdgeRow]] = defaultdict(list)
        self.by_callee: dict[Ends, list[EdgeRow]] = defaultdict(list)
        self.whole: dict[str, list[EdgeRow]] = defaultdict(list)
        for row in rows:
            if not row.source:
                self.whole[row.destination].append(row)
            else:
                (self.by_caller if row.by_source else self.by_callee)[row.source, row.destination].append(row)
        self.nodes = dict(self.whole)
        for ends in (self.by_callee, self.by_caller):
            self._add_nodes(ends)
        self.sums = {node: _sum(rows) for node, rows in self.nodes.items()}

    def _add_nodes(self, seen: Mapping[Ends, list[EdgeRow]]) -> None:
        """Nodes that nothing better tells of are the sum of the edges into them."""
        known = set(self.nodes)
        for (_, node), rows in seen.items():
            if node not in known:
                self.nodes.setdefault(node, []).extend(rows)

    def views(self, ends: Ends) -> tuple[_Sums | None, _Sums | None]:
        """What the caller waited and what the callee worked, as far as each was measured by itself."""
        waited, worked = self.by_caller.get(ends), self.by_callee.get(ends)
        if waited is None or worked is not None:
            return _sums(waited), _sums(worked)
        if ends[1] not in self.whole:
            return None, _sums(waited)
        whole, edge = self.sums[ends[1]], _sum(waited)
        return edge, whole.part(edge.requests / whole.requests)

    def call(self, source: str, destination: str) -> _Sums | None:
        """What this edge took its caller, if a row tells."""
        waited, worked = self.views((source, destination))
        return waited or worked


def window_of_edges(
    rows: Iterable[EdgeRow], graph: Mapping[str, set[str]], entries: frozenset[str], intervals: tuple[Interval, ...]
) -> Window:
    """The window of these rows; requests of `entries` come from outside."""
    rows = told(rows)
    callees = _callees(rows, graph)
    by_start: dict[float, list[EdgeRow]] = defaultdict(list)
    for row in rows:
        by_start[row.start].append(row)
    steps = {start: _Step(found) for start, found in sorted(by_start.items())}
    _bridge(list(steps.values()))
    levels = _levels(steps.values())
    return Window(
        intervals,
        tuple(_served(steps, callees, entries, levels)),
        (*_measured(steps), *_known(steps, callees, levels)),
    )


def _bridge(steps: Sequence[_Step]) -> None:
    """Lets callers know what they waited for nodes whose row was lost: as in the steps next to it, where so many were
    asked that there were some in between. Where edges tell who called, no row is no call."""
    by_edges = {ends[1] for step in steps for ends in (*step.by_caller, *step.by_callee)}
    for node in {node for step in steps for node in step.nodes} - by_edges:
        known = [place for place, step in enumerate(steps) if node in step.nodes]
        for place in set(range(len(steps))) - set(known):
            beside = [steps[at].sums[node] for at in next_to(place, known, REACH)]
            if beside and sum(sums.requests for sums in beside) >= _SURELY_SOME * len(beside):
                steps[place].sums[node] = _mean(beside)


def _callees(rows: Iterable[EdgeRow], graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """By caller, of the static graph and of what was measured; nobody waits for itself."""
    found: dict[str, set[str]] = defaultdict(set)
    for source, names in graph.items():
        found[source] |= names - {source}
    for row in rows:
        if row.source and row.source != row.destination:
            found[row.source].add(row.destination)
    return found


def entry_nodes(rows: Iterable[EdgeRow], graph: Mapping[str, set[str]]) -> frozenset[str]:
    """Nodes that are called by whoever receives nothing itself; else those that no node calls, or all of a circle."""
    rows = list(rows)
    served = {row.destination for row in rows}
    from_outside = {row.destination for row in rows if row.source and row.source not in served}
    called = {name for caller, names in _callees(rows, graph).items() if caller in served for name in names}
    return frozenset(from_outside or served - called or served)


def _served(
    steps: Mapping[float, _Step],
    callees: Mapping[str, set[str]],
    entries: frozenset[str],
    levels: Mapping[str, Quantiles],
) -> Iterable[Served]:
    buckets: dict[tuple[str, str], list[Bucket]] = defaultdict(list)
    callers = _callers(callees)
    for start, step in steps.items():
        for node in step.nodes:
            passed = _passed_on(step, node, callees, callers)
            for instance, sums in _instances(step.nodes[node]).items():
                share = sums.requests / step.sums[node].requests
                buckets[node, instance].append(_bucket(start, sums, passed.part(share)))
    for (node, instance), series in buckets.items():
        # How own times spread is known of those only that wait for nobody.
        own = None if callees.get(node) else levels.get(node)
        yield Served(node, "", instance or node, "", node in entries, tuple(series), levels.get(node), own)


def _instances(rows: Iterable[EdgeRow]) -> dict[str, _Sums]:
    """By instance, where the node's own proxies tell them apart."""
    by_instance: dict[str, list[EdgeRow]] = defaultdict(list)
    for row in rows:
        by_instance["" if row.by_source else row.instance].append(row)
    return {instance: _sum(found) for instance, found in by_instance.items()}


def _callers(callees: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """The same the other way round."""
    found: dict[str, list[str]] = defaultdict(list)
    for caller, names in callees.items():
        for name in names:
            found[name].append(caller)
    return found


def _passed_on(step: _Step, node: str, callees: Mapping[str, set[str]], callers: Mapping[str, Sequence[str]]) -> _Sums:
    """What the node's calls account for."""
    parts = []
    for callee in callees.get(node, ()):
        call = step.call(node, callee)
        if call is None and callee in step.sums:
            asked = sum(step.sums[name].requests for name in callers[callee] if name in step.sums)
            call = step.sums[callee].part(step.sums[node].requests / asked)
        if call is not None:
            parts.append(call)
    return _Sums(
        sum(part.requests for part in parts), sum(part.failed for part in parts), sum(part.total_ms for part in parts)
    )


def _bucket(start: float, whole: _Sums, passed: _Sums) -> Bucket:
    calls = round(whole.requests)
    own_failed = max(0, round(whole.failed - passed.failed))
    return Bucket(
        start, calls, round(whole.failed), whole.total_ms, own_failed, whole.total_ms - passed.total_ms, calls
    )


def _measured(steps: Mapping[float, _Step]) -> Iterable[Called]:
    """Edges as either end measured them."""
    for by_source in (True, False):
        series: dict[Ends, list[Bucket]] = defaultdict(list)
        for start, step in steps.items():
            for ends in step.by_caller.keys() | step.by_callee.keys():
                sums = step.views(ends)[0 if by_source else 1]
                if sums is not None:
                    series[ends].append(Bucket(start, round(sums.requests), round(sums.failed), sums.total_ms))
        for ends, buckets in series.items():
            yield Called(by_source, *ends, "", "", "", tuple(buckets))


def _known(
    steps: Mapping[float, _Step], callees: Mapping[str, set[str]], levels: Mapping[str, Quantiles]
) -> Iterable[Called]:
    """Edges of the static graph, of which nothing was measured."""
    measured = {ends for step in steps.values() for ends in (*step.by_caller, *step.by_callee)}
    for source, names in callees.items():
        for callee in names:
            if (source, callee) not in measured:
                waited = _waits(levels.get(source), levels.get(callee))
                yield Called(False, source, callee, "", "", callee, (), waited=waited)


def _waits(caller: Quantiles | None, callee: Quantiles | None) -> bool:
    """Nobody waits for what usually takes longer than nearly all of the caller's own answers."""
    return caller is None or callee is None or callee.p50 <= caller.p99


def _levels(steps: Iterable[_Step]) -> dict[str, Quantiles]:
    """Quantiles of whole nodes."""
    spread: dict[str, list[Quantiles]] = defaultdict(list)
    for step in steps:
        for node, rows in step.nodes.items():
            spread[node] += [row.p for row in rows if row.p is not None]
    return {node: level for node, found in spread.items() if (level := _middle(found)) is not None}


def _middle(levels: list[Quantiles]) -> Quantiles | None:
    """The median step's quantiles."""
    return sorted(levels, key=lambda q: q.p95)[len(levels) // 2] if levels else None


def _mean(several: Sequence[_Sums]) -> _Sums:
    return _Sums(
        sum(sums.requests for sums in several) / len(several),
        sum(sums.failed for sums in several) / len(several),
        sum(sums.total_ms for sums in several) / len(several),
    )


def _sum(rows: Iterable[EdgeRow]) -> _Sums:
    found = list(rows)
    return _Sums(
        sum(row.requests for row in found), sum(row.failed for row in found), sum(row.total_ms for row in found)
    )


def _sums(rows: list[EdgeRow] | None) -> _Sums | None:
    return None if rows is None else _sum(rows)
