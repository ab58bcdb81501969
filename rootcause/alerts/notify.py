"""Tells the outside world: each incident opened, turned graver, acknowledged or resolved, to every target that wants to
hear of it, in order, at its pace, until delivered.

In: notices; what is open now. Out: a `POST` in the target's format, and a Delivery for each. Never: a redirect
followed, a link-local or metadata address called unless that was allowed, a later message before an earlier one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp

from rootcause.alerts import signing
from rootcause.alerts.compose import MOST, compose, forgets, together
from rootcause.alerts.formats import Told
from rootcause.alerts.notice import Event, Notice
from rootcause.alerts.outbox import Batch, Outbox
from rootcause.alerts.pace import Pace
from rootcause.alerts.refusals import refusal
from rootcause.alerts.targets import CheckedResolver, Target
from rootcause.alerts.template import TemplateRefused
from rootcause.incidents.journal import Delivery

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
TIMEOUT_S = 10.0
REFUSALS = 8
"""A target that refuses a message so often will not take it later."""
GIVE_UP_S = 24 * 3_600.0
"""An older message is news to nobody."""
REMIND_S = 60.0
"""A target that forgets what it does not hear of again is reminded so often."""
_LATER = frozenset({408, 425, 429})
"""Refusals that say: not now."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How many messages wait for a target, and why the last attempt failed; empty when it did not."""

    target: Target
    waiting: int
    error: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """How an attempt ended: in words, empty when it was taken; after how many such answers trying on is of no use."""

    error: str
    enough: float = math.inf


def pause_s(attempt: int) -> float:
    """How long to wait after the given failed attempt (1, 2, …), in seconds: doubling, up to a minute."""
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempt - 1, 16)))


class Notifier:
    """One worker a target, so that a slow target holds up nobody else. Belongs to one event loop."""

    def __init__(
        self,
        targets: Iterable[Target],
        outbox: Outbox,
        record: Callable[[Delivery], None],
        *,
        still_open: Callable[[], Sequence[Notice]] = tuple,
        allow_link_local: bool = False,
    ) -> None:
        """`still_open` is what goes on now, for targets that have to be reminded of it."""
        self._still_open = still_open
        self._targets = {target: asyncio.Event() for target in targets}
        self._idle = {target: asyncio.Event() for target in self._targets}
        self._errors = dict.fromkeys(self._targets, "")
        self._outbox = outbox
        self._record = record
        self._allow_link_local = allow_link_local
        self._workers: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Starts delivering, first what an earlier run left behind."""
        resolver = CheckedResolver(allow_link_local=self._allow_link_local)
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), trust_env=False
        )
        for target, news in self._targets.items():
            news.set()
            self._workers.append(asyncio.create_task(self._work(self._session, target, news)))

    def tell(self, event: Event, notice: Notice) -> None:
        """Takes a message in for every target that wants it and does not have it yet, so that what is open can be told
        again and again; when too many wait it is recorded as not delivered."""
        for target, news in self._targets.items():
            if event == "opened" and not target.wants(notice):
                continue
            taken = self._outbox.put(target.queue, event, notice, time.time())
            if taken == "taken":
                self._idle[target].clear()
                news.set()
            elif taken == "full":
                error = "too many messages wait for this target"
                log.error("webhook %s: %s of %s not delivered: %s", target.name, event, notice.id, error)
                self._record(Delivery(datetime.now(UTC), notice.id, event, target.name, False, 0, error))

    async def try_out(self, told: Sequence[Told]) -> list[Delivery]:
        """Sends test messages to every target at once, whatever it wishes to hear of and whatever waits for it: in
        order, each once, no further than the first that is not taken. What became of the last one sent, by target."""
        return list(await asyncio.gather(*(self._tried_out(target, told) for target in self._targets)))

    async def _tried_out(self, target: Target, told: Sequence[Told]) -> Delivery:
        assert self._session is not None, "started"
        for event, notice in told:
            answer = await _send(self._session, target, [(event, notice)], f"{notice.id}.{event}")
            became = Delivery(datetime.now(UTC), notice.id, event, target.name, not answer.error, 1, answer.error)
            self._record(became)
            if answer.error:
                break
        return became

    def standings(self) -> list[Standing]:
        """Of all targets, as they stand in the settings."""
        return [Standing(one, self._outbox.waiting(one.queue), error) for one, error in self._errors.items()]

    def unended(self) -> list[str]:
        """Incidents and alarms of whose end somebody was not told yet, the oldest first."""
        return self._outbox.unended([target.queue for target in self._targets])

    def forget(self, incident: str) -> None:
        """Nobody will be told of its end."""
        self._outbox.forget(incident)

    async def stop(self, within_s: float) -> None:
        """Gives the messages some time to go out, then stops; what is left goes out after the next start."""
        try:
            await asyncio.wait_for(asyncio.gather(*(idle.wait() for idle in self._idle.values())), within_s)
        except TimeoutError:
            log.warning("stopping with %d notifications that could not be delivered yet", self._outbox.waiting())
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _work(self, session: aiohttp.ClientSession, target: Target, news: asyncio.Event) -> None:
        pace = Pace(target.wish.per_minute, time.monotonic())
        gather_s = target.wish.gather_s if together(target) > 1 else 0.0
        remind_at = time.monotonic() + REMIND_S if forgets(target) else math.inf
        while True:
            with contextlib.suppress(TimeoutError):
                left_s = remind_at - time.monotonic()
                await asyncio.wait_for(news.wait(), None if math.isinf(left_s) else max(0.0, left_s))
            if time.monotonic() >= remind_at:
                await self._remind(session, target)
                remind_at = time.monotonic() + REMIND_S
            news.clear()
            while self._outbox.next(target.queue):
                await asyncio.sleep(max(gather_s, pace.wait_s(time.monotonic())))
                await self._deliver(session, target, self._outbox.next(target.queue, together(target)))
            self._idle[target].set()

    async def _remind(self, session: aiohttp.ClientSession, target: Target) -> None:
        """Says once more what is open; if that fails it is said again soon enough."""
        told: list[Told] = [("opened", one) for one in self._outbox.still_open(target.queue, self._still_open())]
        for first in range(0, len(told), MOST):
            answer = await _send(session, target, told[first : first + MOST], f"reminder.{first}.{time.time_ns()}")
            if answer.error:
                log.warning("webhook %s: %s; it is not reminded of what is open", target.name, answer.error)

    async def _deliver(self, session: aiohttp.ClientSession, target: Target, batch: Batch) -> None:
        while True:
            batch = self._outbox.tried(batch)
            answer = await _post(session, target, batch)
            self._errors[target] = answer.error
            too_old = time.time() - batch.messages[0].queued_at > GIVE_UP_S
            if not answer.error or too_old or batch.attempts >= answer.enough:
                break
            log.warning("webhook %s: %s; attempt %d", target.name, answer.error, batch.attempts)
            await asyncio.sleep(pause_s(batch.attempts))
        self._outbox.done(batch)
        for message in batch.messages:
            if answer.error:
                told = (target.name, message.event, message.incident, answer.error)
                log.error("webhook %s: %s of %s not delivered: %s", *told)
            became = (message.incident, message.event, target.name, not answer.error, message.attempts, answer.error)
            self._record(Delivery(datetime.now(UTC), *became))


async def _post(session: aiohttp.ClientSession, target: Target, batch: Batch) -> _Answer:
    """One attempt."""
    told: list[Told] = [(one.event, Notice.model_validate_json(one.notice)) for one in batch.messages]
    return await _send(session, target, told, batch.id)


async def _send(session: aiohttp.ClientSession, target: Target, told: Sequence[Told], id: str) -> _Answer:
    try:
        body = compose(target, told, datetime.now(UTC))
    except TemplateRefused as error:
        return _Answer(str(error), enough=1)
    headers = {
        "Content-Type": "application/json",
        **signing.headers(id, int(time.time()), body, target.secret),
    }
    try:
        async with session.post(target.url, data=body, headers=headers, allow_redirects=False) as answer:
            if 200 <= answer.status < 300:
                return _Answer("")
            refused = answer.status < 500 and answer.status not in _LATER
            said = refusal(answer.status, answer.headers.get("Location", ""))
            return _Answer(said, enough=REFUSALS if refused else math.inf)
    except TimeoutError:
        return _Answer(f"no answer within {TIMEOUT_S:.0f} s; is it the right address, and is its receiver busy?")
    except aiohttp.ClientConnectorError as error:
        return _Answer(f"cannot connect: {_plain(error.os_error)}")
    except (aiohttp.ClientError, OSError) as error:
        return _Answer(str(error) or type(error).__name__)


def _plain(error: OSError) -> str:
    """Without the address, which everybody knows; those of names have no number of the system."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
