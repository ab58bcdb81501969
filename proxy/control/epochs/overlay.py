"""What the files say with what was said over the API on top: of each document, the last word counts.

In: the documents of the files, what was written or deleted over the API since. Out: the documents in force. Pure.
A document that was changed over the API stays so until its own text in the files changes; then the files' word is the
newer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from proxy.control.epochs.written import Key, Written


@dataclass(frozen=True)
class Said:
    """What was said over the API of one document."""

    written: Written | None
    """None: that there is to be none."""
    over: str | None
    """Fingerprint of what the files said of it then; None: nothing."""


@dataclass(frozen=True)
class Overlaid:
    """Both, and what comes of it."""

    files: tuple[Written, ...] = ()
    said: Mapping[Key, Said] = field(default_factory=dict)

    @cached_property
    def documents(self) -> tuple[Written, ...]:
        """Those of the files in their order, then those that are known from the API alone."""
        of_files = {one.key for one in self.files}
        changed = (self.said[one.key].written if one.key in self.said else one for one in self.files)
        added = (self.said[key].written for key in sorted(self.said.keys() - of_files))
        return tuple(one for one in (*changed, *added) if one is not None)

    def read_again(self, files: Iterable[Written]) -> Overlaid:
        """The same after an edit of the files: what they say anew is no longer overlaid."""
        files = tuple(files)
        now = _fingerprints(files)
        return Overlaid(files, {key: said for key, said in self.said.items() if now.get(key) == said.over})

    def edited(self, puts: Iterable[Written], gone: Iterable[Key]) -> Overlaid:
        """The same after these were written, and those deleted, over the API."""
        files = _fingerprints(self.files)
        as_in_file = {one.key: one for one in self.files}
        said = dict(self.said)
        for one in puts:
            said[one.key] = Said(one, files.get(one.key))
        for key in gone:
            said[key] = Said(None, files.get(key))
        return Overlaid(self.files, {key: one for key, one in said.items() if one.written != as_in_file.get(key)})


def _fingerprints(files: Iterable[Written]) -> dict[Key, str]:
    return {one.key: one.fingerprint for one in files}
