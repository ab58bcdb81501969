"""Turns log lines into patterns: the text that stays when what varies is taken out, so that lines can be counted.

In: log lines of many services. Out: a short pattern a line, the same for lines that say the same.
Source: He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017 (lines of equal length are
grouped by the share of equal words; words in which a group differs become `*`). Beyond it, lines of unequal length are
one group when they begin alike: what follows is a list or free text.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rootcause.load.log_words import Words, words, written
from rootcause.load.step_names import logged

_ALIKE = 0.6
"""Share of equal words from which two lines say the same thing."""
_ALIKE_WORDS = 4
"""Equal words, the severity among them, from which they may be: of a short text each word counts."""
_MOST_GROUPS = 500
"""Of one service; a service that says something new each time is not to be counted by what it says."""
_MOST_KNOWN = 50_000
"""Different lines whose group is remembered: only to find it sooner."""
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Log:
    """One line, or as many alike as `times` says. `span` is the id of the span it was written in, in hex, empty when
    unknown."""

    time: float
    service: str
    severity: str
    span: str
    body: str
    times: int = 1


@dataclass(slots=True)
class _Group:
    """What its lines have in common; an `open` one says only how they begin."""

    words: list[str]
    open: bool = False

    def alike(self, said: Words) -> float:
        """Share of the shorter text that is the same: word by word, or how far it begins alike when lengths differ."""
        shorter = min(len(self.words), len(said))
        if self.open or len(self.words) == len(said):
            equal = sum(mine == theirs for mine, theirs in zip(self.words, said, strict=False))
        else:
            equal = _shared(self.words, said)
        return equal / shorter if equal >= _ALIKE_WORDS else 0.0

    def take(self, said: Words) -> None:
        """Widens the group by a line."""
        if len(self.words) == len(said) or (self.open and len(said) > len(self.words)):
            self.words = [mine if mine == theirs else "*" for mine, theirs in zip(self.words, said, strict=False)]
        else:
            self.words = self.words[: _shared(self.words, said)]
            self.open = True

    @property
    def text(self) -> str:
        """The pattern, short enough to be read."""
        return written(self.words)[:_LONGEST]


@dataclass(frozen=True, slots=True)
class Placed:
    """Lines of one group, written in one span."""

    span: str
    group: _Group
    times: int


class _Shelf:
    """The groups of one service and severity, found by their words: a line is compared with few of them only."""

    def __init__(self) -> None:
        self._groups: list[_Group] = []
        self._at: dict[tuple[int, str], list[int]] = defaultdict(list)

    def add(self, said: Words) -> _Group:
        for place in enumerate(said):
            self._at[place].append(len(self._groups))
        self._groups.append(_Group(list(said)))
        return self._groups[-1]

    def nearest(self, said: Words) -> _Group | None:
        """The first of those most alike; None when none is alike enough."""
        shared: Counter[int] = Counter()
        for place in enumerate(said[1:], 1):
            shared.update(self._at.get(place, ()))
        near = sorted(index for index, words in shared.items() if self._may_be(index, words + 1, said))
        found = max((self._groups[index] for index in near), key=lambda group: group.alike(said), default=None)
        return found if found is not None and found.alike(said) >= _ALIKE else None

    def _may_be(self, index: int, equal: int, said: Words) -> bool:
        """Whether so many words in the same places, severity among them, can be enough."""
        return equal >= _ALIKE_WORDS and equal >= _ALIKE * min(len(self._groups[index].words), len(said))


Said = Mapping[str, Counter[str]]
"""How often which pattern was written in each span, by the span's id."""


def said(*windows: Iterable[Log]) -> list[Said]:
    """Of each window; the same patterns in all of them. Lines outside of spans are left out: nothing says which request
    they belong to. Nothing is said in any where one has no lines at all: there is nothing to compare them with."""
    patterns = Patterns()
    placed = [list(patterns.place(window)) for window in windows]
    if not all(placed):
        return [{} for _ in placed]
    return [by_span(lines) for lines in placed]


def by_span(lines: Iterable[Placed]) -> Said:
    """In the words that their groups have by now."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        found[line.span][logged(line.group.text)] += line.times
    return dict(found)


class Patterns:
    """Groups of lines by service, which only grow wider: what a line belongs to at first it belongs to for good."""

    def __init__(self) -> None:
        self._shelves: dict[tuple[str, str], _Shelf] = defaultdict(_Shelf)
        self._known: dict[tuple[str, Words], _Group] = {}
        self._count: dict[str, int] = defaultdict(int)

    def group(self, log: Log) -> _Group | None:
        """The group of a line; None for one that finds no room."""
        said = words(log.severity, log.body)
        known = self._known.get((log.service, said))
        if known is not None:
            return known
        shelf = self._shelves[log.service, said[0]]
        group = shelf.nearest(said)
        if group is not None:
            group.take(said)
        elif self._count[log.service] < _MOST_GROUPS:
            self._count[log.service] += 1
            group = shelf.add(said)
        else:
            return None
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[log.service, said] = group
        return group

    def place(self, logs: Iterable[Log]) -> Iterator[Placed]:
        """The lines that were written in spans."""
        for log in logs:
            group = self.group(log) if log.span else None
            if group is not None:
                yield Placed(log.span, group, log.times)


def _shared(mine: Sequence[str], theirs: Sequence[str]) -> int:
    """Length of the common beginning."""
    differ = (place for place, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b)
    return next(differ, min(len(mine), len(theirs)))
