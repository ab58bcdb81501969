"""Turns log lines into patterns: the text that stays when what varies is taken out, so that lines can be counted.

In: log lines of many services. Out: a short pattern a line, the same for lines that say the same.
Source: He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017 (lines of equal length are
grouped by the share of equal words; words in which a group differs become `*`). Beyond it, lines of unequal length are
one group when they begin alike: what follows is a list or free text.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

_BETWEEN = re.compile(r"[\s,;=:\[\](){}<>\"'|]+")
_DIGIT = re.compile(r"\d")
_ALIKE = 0.6
"""Share of equal words from which two lines say the same thing."""
_ALIKE_WORDS = 4
"""Equal words, the severity among them, from which they may be: of a short text each word counts."""
_MOST_WORDS = 40
_MOST_GROUPS = 2_000
"""Of one service; a service that says something new each time is not to be counted by what it says."""
_LONGEST = 160

Words = tuple[str, ...]


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

    def alike(self, words: Words) -> float:
        """Share of the shorter text that is the same: word by word, or how far it begins alike when lengths differ."""
        shorter = min(len(self.words), len(words))
        if self.open or len(self.words) == len(words):
            equal = sum(mine == theirs for mine, theirs in zip(self.words, words, strict=False))
        else:
            equal = _shared(self.words, words)
        return equal / shorter if equal >= _ALIKE_WORDS else 0.0

    def take(self, words: Words) -> None:
        """Widens the group by a line."""
        if len(self.words) == len(words) or (self.open and len(words) > len(self.words)):
            self.words = [mine if mine == theirs else "*" for mine, theirs in zip(self.words, words, strict=False)]
        else:
            self.words = self.words[: _shared(self.words, words)]
            self.open = True

    @property
    def text(self) -> str:
        """The pattern, short enough to be read."""
        return " ".join(self.words)[:_LONGEST]


def said(*windows: Iterable[Log]) -> list[dict[str, set[str]]]:
    """For each window, the patterns of the lines written in each span, by the span's id; the same ones in all windows.

    Lines outside of spans are left out: nothing says which request they belong to.
    """
    patterns = Patterns()
    placed = [[(log.span, patterns.group(log)) for log in window if log.span] for window in windows]
    return [_by_span(lines) for lines in placed]


def _by_span(lines: Iterable[tuple[str, _Group | None]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for span, group in lines:
        if group is not None:
            found[span].add(f'log "{group.text}"')
    return dict(found)


class Patterns:
    """Groups of lines by service, which only grow wider: what a line belongs to at first it belongs to for good."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], list[_Group]] = defaultdict(list)
        self._known: dict[tuple[str, Words], _Group] = {}
        self._count: dict[str, int] = defaultdict(int)

    def group(self, log: Log) -> _Group | None:
        """The group of a line; None for one that finds no room."""
        words = _words(log)
        known = self._known.get((log.service, words))
        if known is not None:
            return known
        groups = self._groups[log.service, words[0]]
        group = max(groups, key=lambda group: group.alike(words), default=None)
        if group is not None and group.alike(words) >= _ALIKE:
            group.take(words)
        elif self._count[log.service] < _MOST_GROUPS:
            self._count[log.service] += 1
            group = _Group(list(words))
            groups.append(group)
        else:
            return None
        self._known[log.service, words] = group
        return group


def _words(log: Log) -> Words:
    """The severity and the words of a line, without those that have a digit: figures, times and ids."""
    words = (word for word in _BETWEEN.split(log.body) if word and not _DIGIT.search(word))
    return (log.severity, *islice(words, _MOST_WORDS))


def _shared(mine: Sequence[str], theirs: Sequence[str]) -> int:
    """Length of the common beginning."""
    differ = (place for place, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b)
    return next(differ, min(len(mine), len(theirs)))
