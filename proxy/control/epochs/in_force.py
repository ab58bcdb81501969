"""Puts in force what is written and what was discovered, as one: each difference is an epoch, told of, and kept.

In: files as they are edited, changes as they come over the API, discoveries as they are made. Out: registries to the
publisher, epochs to the state, changes to the collector. Never: an epoch in which nothing is different, or a change
of which only a part is taken.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from proxy.control.configuration import Configuration, assembled
from proxy.control.discovery.assemble import Discovered
from proxy.control.epochs.begin import Beginning
from proxy.control.epochs.change import Change
from proxy.control.epochs.changes import changes_between
from proxy.control.epochs.edits import Edit, between, check
from proxy.control.epochs.overlay import Overlaid
from proxy.control.epochs.revisions import made, revisions_between, versions_after
from proxy.control.epochs.written import Written
from proxy.control.errors import ConfigRefused, NoDocument, NotLeading
from proxy.control.known import Known
from proxy.control.publish import Prepared, Publisher
from proxy.control.reading.parse import parse
from proxy.control.registry import Registry
from proxy.control.state.digest import digest
from proxy.control.state.state import Epoch, Revision, State
from proxy.control.telemetry import Telemetry
from proxy.control.trust import Trust

log = logging.getLogger("whymesh.control")


@dataclass(frozen=True)
class Outcome:
    """What a change does: to which documents, in words, and which proxies are told of it; `epoch` is that in force."""

    epoch: int
    revisions: tuple[Revision, ...]
    changes: tuple[Change, ...]
    told: tuple[str, ...]


class InForce:
    """The one place where an epoch begins; all methods run on the event loop."""

    def __init__(
        self,
        state: State,
        beginning: Beginning,
        publisher: Publisher,
        telemetry: Telemetry,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.state, self.overlaid, self.versions = state, beginning.overlaid, beginning.versions
        self.known = beginning.known
        self.refused: dict[str, str] = {}
        """Registrations that are not in force, by instance, and why."""
        self.leads = True
        """Whether changes are taken here; otherwise those of another control plane are served."""
        self._followers: list[Callable[[Registry], None]] = []
        self._publisher, self._telemetry, self._clock = publisher, telemetry, clock
        self._alone = asyncio.Lock()

    def follow(self, now: Registry, *followers: Callable[[Registry], None]) -> None:
        """Tells each of them of the registry in force, and of each that comes in force."""
        for follower in followers:
            self._followers.append(follower)
            follower(now)

    @property
    def epoch(self) -> int:
        """The epoch in force."""
        return self._publisher.epoch

    @property
    def discovered(self) -> Discovered:
        """What is known from discoveries."""
        return self.known.discovered

    @property
    def written(self) -> Configuration:
        """The same as it is understood, without what is discovered."""
        return assembled(self.documents, "configuration")

    @property
    def documents(self) -> tuple[Written, ...]:
        """The documents in force."""
        return self.overlaid.documents

    async def catch_up(self, there: Beginning) -> None:
        """Serves what another control plane has put in force; raises ConfigRefused."""
        async with self._alone:
            prepared = self._publisher.prepare(there.registry, there.epoch)
            self.overlaid, self.versions, self.known = there.overlaid, there.versions, there.known
            self._publish(prepared)
            log.info("epoch %d", there.epoch)

    async def take_over(self, there: Beginning) -> None:
        """The same, and takes changes from now on."""
        await self.catch_up(there)
        self.leads = True

    async def read_again(self, files: Iterable[Written], actor: str) -> Outcome:
        """Takes an edit of the files; raises ConfigRefused, and what was in force stays."""
        async with self._alone:
            outcome = await self._put(self.overlaid.read_again(files), self.known, actor)
            self._publisher.refuse([])
            return outcome

    async def discover(self, discovered: Discovered, actor: str) -> None:
        """Takes what is known now; what one that does not lead finds out counts for nothing."""
        async with self._alone:
            if self.leads:
                await self._put(self.overlaid, replace(self.known, discovered=discovered), actor)

    async def believe(self, trust: Trust | None, actor: str) -> None:
        """Takes what the authority of the mesh says now; of one that does not lead that counts for nothing either."""
        async with self._alone:
            if self.leads:
                await self._put(self.overlaid, replace(self.known, trust=trust), actor)

    async def record(self, recording: dict[str, float], actor: str) -> None:
        """Takes which services are to record everything, and until when; raises NotLeading."""
        async with self._alone:
            await self._put(self.overlaid, replace(self.known, recording=recording), actor)

    async def edit(self, edit: Edit, actor: str, *, dry: bool = False) -> Outcome:
        """Takes a change, or says what it would do when `dry`.

        Raises Conflict, NoDocument, ConfigRefused, NotLeading, StateUnusable.
        """
        async with self._alone:
            check(edit, self.documents, self.versions)
            return await self._put(self._edited(edit), self.known, actor, dry=dry)

    async def roll_back(self, epoch: int, actor: str, *, dry: bool = False) -> Outcome:
        """Writes the documents as they were as of an epoch; raises NoDocument when the history has no such epoch."""
        async with self._alone:
            edited = self._edited(self._back_to(epoch))
            return await self._put(edited, self.known, f"{actor}, back to epoch {epoch}", dry=dry)

    def _edited(self, edit: Edit) -> Overlaid:
        return self.overlaid.edited((put.written for put in edit.puts), (gone.key for gone in edit.gone))

    def _back_to(self, epoch: int) -> Edit:
        if self.state.epoch(epoch) is None:
            raise NoDocument(f"epoch {epoch} is not in the history; see whymesh history")
        mistakes: list[str] = []
        bodies = {key: json.loads(text) for key, text in self.state.as_of(epoch).items()}
        parsed = [parse(f"as of epoch {epoch}", body, mistakes, "api") for body in bodies.values()]
        if mistakes:
            raise ConfigRefused(mistakes)
        return between(self.documents, (one for one in parsed if one is not None))

    def lead(self) -> None:
        """Raises NotLeading where changes are not taken."""
        if not self.leads:
            raise NotLeading(self.state.lease.leader())

    async def _put(self, overlaid: Overlaid, known: Known, actor: str, *, dry: bool = False) -> Outcome:
        self.lead()
        before, epoch = self._publisher.registry, self._publisher.epoch + 1
        now = made(overlaid, known)
        revisions = revisions_between(self.documents, overlaid.documents)
        changes = tuple(changes_between(before, now.registry))
        if now.registry == before and not revisions:
            if not dry:
                self._take(overlaid, known, now.refused)
            return Outcome(epoch - 1, (), (), ())
        prepared = self._publisher.prepare(now.registry, epoch)
        if dry:
            return Outcome(epoch - 1, revisions, changes, tuple(prepared.told))
        versions = versions_after(self.versions, revisions, epoch)
        words = tuple(change.summary for change in changes)
        told = Epoch(epoch, self._clock(), actor, words, digest(now.registry))
        self.state.keep(told, overlaid.documents, versions, overlaid.said, revisions, known.text())
        self.versions = versions
        self._take(overlaid, known, now.refused)
        self._publish(prepared)
        self._tell(changes, epoch, actor)
        return Outcome(epoch, revisions, changes, tuple(prepared.told))

    def _publish(self, prepared: Prepared) -> None:
        self._publisher.publish(prepared)
        for follower in self._followers:
            follower(prepared.registry)

    def _take(self, overlaid: Overlaid, known: Known, refused: dict[str, str]) -> None:
        for instance in refused.keys() - self.refused.keys():
            log.error("instance %s is left out: %s", instance, refused[instance])
        self.overlaid, self.known, self.refused = overlaid, known, refused

    def _tell(self, changes: Iterable[Change], epoch: int, actor: str) -> None:
        for change in changes:
            log.info("epoch %d: %s (%s)", epoch, change.summary, actor)
            self._telemetry.report(change, epoch, actor)
