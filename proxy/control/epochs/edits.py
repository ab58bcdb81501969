"""What somebody wants to change over the API, held against what is in force.

In: documents to write and keys to delete, each with the version that was seen. Out: nothing, or why it is not to be
done. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from proxy.control.epochs.written import Key, Written
from proxy.control.errors import Conflict, NoDocument


@dataclass(frozen=True)
class Put:
    """A document to write; `seen` is the version it was made from: 0 for none, None for whichever it is."""

    written: Written
    seen: int | None = None

    @property
    def key(self) -> Key:
        """Of the document."""
        return self.written.key


@dataclass(frozen=True)
class Gone:
    """A document to delete; `seen` as in Put."""

    key: Key
    seen: int | None = None


@dataclass(frozen=True)
class Edit:
    """All of it is done, in one epoch, or nothing."""

    puts: tuple[Put, ...] = ()
    gone: tuple[Gone, ...] = ()


def check(edit: Edit, documents: Iterable[Written], versions: Mapping[Key, int]) -> None:
    """Raises Conflict when a document is not of the version that was seen, NoDocument for one that is not there."""
    there = {one.key: one for one in documents}
    for gone in edit.gone:
        if gone.key not in there:
            raise NoDocument(f"there is no {gone.key}")
    asked: tuple[Put | Gone, ...] = (*edit.puts, *edit.gone)
    for one in asked:
        version = versions[one.key] if one.key in there else 0
        if one.seen is None or one.seen == version:
            continue
        now = f"is of resourceVersion {version} now" if version else "is not there"
        seen = f"resourceVersion {one.seen}" if one.seen else "that there is none"
        current = there[one.key].text if version else None
        raise Conflict(
            f"{one.key} {now}, and the change was made from {seen}: look at it again, and change what it is now",
            str(one.key),
            current,
            one.written.text if isinstance(one, Put) else None,
        )


def between(before: Iterable[Written], after: Iterable[Written]) -> Edit:
    """What leads from some documents to others."""
    was, now = {one.key: one for one in before}, {one.key: one for one in after}
    puts = tuple(Put(one) for key, one in now.items() if was.get(key) != one)
    return Edit(puts, tuple(Gone(key) for key in was if key not in now))
