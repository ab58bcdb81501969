"""What an epoch does to the documents, and what that makes of the mesh.

In: documents before and after. Out: what became of each, the epoch that changed each last, the registry. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from proxy.control.configuration import assembled
from proxy.control.discovery.assemble import Assembled
from proxy.control.epochs.overlay import Overlaid
from proxy.control.epochs.written import Key, Written
from proxy.control.known import Known
from proxy.control.state.state import Revision


def made(overlaid: Overlaid, known: Known) -> Assembled:
    """The registry of all documents with what else is known; raises ConfigRefused."""
    return known.of(assembled(overlaid.documents, "configuration"))


def revisions_between(before: Iterable[Written], after: Iterable[Written]) -> tuple[Revision, ...]:
    """What became of each document that does not mean what it meant."""
    was, now = {one.key: one for one in before}, {one.key: one for one in after}
    texts = {key: one.text for key, one in was.items()}
    changed = (
        *(Revision(key, texts.get(key), one.text) for key, one in now.items() if was.get(key) != one),
        *(Revision(key, texts[key], None) for key in was if key not in now),
    )
    return tuple(sorted(changed, key=lambda one: one.key))


def versions_after(versions: dict[Key, int], revisions: Iterable[Revision], epoch: int) -> dict[Key, int]:
    """The epoch that changed each document last, after one more."""
    newer = dict(versions)
    for revision in revisions:
        newer[revision.key] = epoch
        if revision.after is None:
            newer.pop(revision.key)
    return newer
