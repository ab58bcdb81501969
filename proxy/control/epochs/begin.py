"""What is in force when a control plane begins to lead: what the state has, and the files as they are now.

In: the state, the documents of the files, what else is known. Out: what to begin with; a new epoch, kept, where
something is different from the last one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from proxy.control.epochs.overlay import Overlaid
from proxy.control.epochs.revisions import made, revisions_between, versions_after
from proxy.control.epochs.written import Key, Written
from proxy.control.known import Known, read_known
from proxy.control.registry import Registry
from proxy.control.state.digest import digest
from proxy.control.state.state import Epoch, State


@dataclass(frozen=True)
class Beginning:
    """Where to go on from."""

    overlaid: Overlaid
    known: Known
    registry: Registry
    epoch: int
    versions: dict[Key, int]


def begin(state: State, files: tuple[Written, ...] | None, known: Known, actor: str, now: datetime) -> Beginning:
    """`files` is None where what they say is not known yet: then what they said last counts.

    Raises ConfigRefused, StateUnusable, NotLeading.
    """
    kept = state.in_force()
    if files is None:
        overlaid = Overlaid(tuple(one for one in kept.documents if one.origin == "file"), state.said())
    else:
        overlaid = Overlaid(files, state.said()).read_again(files)
    registry = made(overlaid, known).registry
    revisions = revisions_between(kept.documents, overlaid.documents)
    of = digest(registry)
    if not revisions and of == kept.digest:
        return Beginning(overlaid, known, registry, kept.epoch, kept.versions)
    epoch = kept.epoch + 1
    versions = versions_after(kept.versions, revisions, epoch)
    words = tuple(f"{one.key} {_verb(one.before, one.after)}" for one in revisions)
    told = Epoch(epoch, now, actor, words, of)
    state.keep(told, overlaid.documents, versions, overlaid.said, revisions, known.text())
    return Beginning(overlaid, known, registry, epoch, versions)


def joined(state: State) -> Beginning:
    """What another control plane has put in force; raises ConfigRefused when this one does not understand it."""
    kept, known = state.in_force(), last_known(state)
    overlaid = Overlaid(kept.documents)
    return Beginning(overlaid, known, made(overlaid, known).registry, kept.epoch, kept.versions)


def last_known(state: State) -> Known:
    """What was known beside the documents as of the last epoch."""
    text = state.known()
    return read_known(text) if text else Known()


def _verb(before: str | None, after: str | None) -> str:
    return "written" if before is None else "changed" if after is not None else "removed"
