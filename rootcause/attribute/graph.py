"""Who calls whom, as far as calls were seen: which services can feel the trouble of which."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from rootcause.load.window import Window


class Graph:
    """Callees by caller, with cycles allowed."""

    def __init__(self, windows: Iterable[Window]) -> None:
        self._callees: dict[str, set[str]] = defaultdict(set)
        self._aside: set[tuple[str, str]] = set()
        for window in windows:
            for row in window.called:
                if row.source and row.source != row.destination:
                    self._callees[row.source].add(row.destination)
                    if not row.waited:
                        self._aside.add((row.source, row.destination))

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


def _reached(start: Iterable[str], onward: Callable[[str], Iterable[str]]) -> frozenset[str]:
    seen: set[str] = set()
    queue = list(start)
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue.extend(onward(name))
    return frozenset(seen)
