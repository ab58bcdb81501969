"""Who calls whom, as far as calls were seen: which services can feel the trouble of which.

Where no call was seen at all, whoever takes more time in all may be waiting for whoever takes less, and never the
other way.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

from rootcause.load.window import Window


class Graph:
    """Callees by caller, with cycles allowed. `guessed`: no call was seen, own times hold those of calls."""

    def __init__(self, windows: Iterable[Window]) -> None:
        windows = list(windows)
        self._callees: dict[str, set[str]] = defaultdict(set)
        self._aside: set[tuple[str, str]] = set()
        for window in windows:
            for row in window.called:
                if row.source and row.source != row.destination:
                    # What takes longer than its caller's answers now may be what is wrong.
                    if not row.waited and row.destination not in self._callees[row.source]:
                        self._aside.add((row.source, row.destination))
                    self._callees[row.source].add(row.destination)
        self.guessed = not self._callees
        if self.guessed and windows:
            self._guess(windows[0])

    def _guess(self, normal: Window) -> None:
        takes = _takes(normal)
        for service, ms in takes.items():
            self._callees[service] = {other for other, less in takes.items() if less < ms}

    def callees(self, service: str) -> frozenset[str]:
        """Called by `service` itself."""
        return frozenset(self._callees.get(service, ()))

    def callers(self, service: str) -> frozenset[str]:
        """Those that call `service` themselves."""
        return frozenset(caller for caller, callees in self._callees.items() if service in callees)

    def below(self, service: str) -> frozenset[str]:
        """Everything `service` depends on, directly or not; itself only when it can call itself."""
        return _reached(self.callees(service), self.callees)

    def waited_for(self, entries: Iterable[str]) -> frozenset[str]:
        """`entries`, and everything that their callers wait for: whose time users feel."""
        return _reached(entries, lambda name: {c for c in self.callees(name) if (name, c) not in self._aside})


def _takes(window: Window) -> dict[str, float]:
    """The time of all requests together, in ms, by service: what is waited for is part of the waiting."""
    total: dict[str, float] = defaultdict(float)
    for row in window.served:
        total[row.service] += sum(bucket.total_ms for bucket in row.buckets)
    return total


def _reached(start: Iterable[str], onward: Callable[[str], Iterable[str]]) -> frozenset[str]:
    seen: set[str] = set()
    queue = list(start)
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue.extend(onward(name))
    return frozenset(seen)
