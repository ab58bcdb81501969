"""Tells the outside world: each incident opened, acknowledged or resolved, to every target, in order, until delivered.

In: notices. Out: a `POST` in the target's format, and a Delivery for each. Never: a redirect followed, a link-local or
metadata address called unless that was allowed, a later message before an earlier one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp

from rootcause.alerts import formats, signing
from rootcause.alerts.notice import Event, Notice
from rootcause.alerts.outbox import Message, Outbox
from rootcause.alerts.targets import CheckedResolver, Target
from rootcause.journal import Delivery

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
TIMEOUT_S = 10.0
LEAST_GAP_S = 0.1
"""Between two messages to one target: ten a second are more than anybody reads."""
REFUSALS = 8
"""A target that refuses a message so often will not take it later."""
GIVE_UP_S = 24 * 3_600.0
"""An older message is news to nobody."""
_LATER = frozenset({408, 425, 429})
"""Refusals that say: not now."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """How an attempt ended: in words, empty when it was taken; `final` when trying on is of little use."""

    error: str
    final: bool = False


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
        allow_link_local: bool = False,
    ) -> None:
        self._targets = {target: asyncio.Event() for target in targets}
        self._idle = {target: asyncio.Event() for target in self._targets}
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
        """Takes a message in for every target; when too many wait it is recorded as not delivered."""
        text = notice.model_dump_json()
        for target, news in self._targets.items():
            if self._outbox.put(target.queue, notice.id, event, text, time.time()):
                self._idle[target].clear()
                news.set()
                continue
            error = "too many messages wait for this target"
            log.error("webhook %s: %s of %s not delivered: %s", target.name, event, notice.id, error)
            self._record(Delivery(datetime.now(UTC), notice.id, event, target.name, False, 0, error))

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
        while True:
            await news.wait()
            news.clear()
            while message := self._outbox.first(target.queue):
                await self._deliver(session, target, message)
                await asyncio.sleep(LEAST_GAP_S)
            self._idle[target].set()

    async def _deliver(self, session: aiohttp.ClientSession, target: Target, message: Message) -> None:
        while True:
            message = self._outbox.tried(message)
            answer = await _post(session, target, message)
            too_old = time.time() - message.queued_at > GIVE_UP_S
            if not answer.error or too_old or (answer.final and message.attempts >= REFUSALS):
                break
            log.warning("webhook %s: %s; attempt %d", target.name, answer.error, message.attempts)
            await asyncio.sleep(pause_s(message.attempts))
        self._outbox.done(message)
        if answer.error:
            log.error(
                "webhook %s: %s of %s not delivered: %s", target.name, message.event, message.incident, answer.error
            )
        told = (message.incident, message.event, target.name, not answer.error, message.attempts, answer.error)
        self._record(Delivery(datetime.now(UTC), *told))


async def _post(session: aiohttp.ClientSession, target: Target, message: Message) -> _Answer:
    """One attempt."""
    notice = Notice.model_validate_json(message.notice)
    value = formats.body(target.format, message.event, notice, datetime.now(UTC), target.key)
    body = json.dumps(value).encode()
    headers = {
        "Content-Type": "application/json",
        **signing.headers(message.id, int(time.time()), body, target.secret),
    }
    try:
        async with session.post(target.url, data=body, headers=headers, allow_redirects=False) as answer:
            if 200 <= answer.status < 300:
                return _Answer("")
            refused = answer.status < 500 and answer.status not in _LATER
            return _Answer(f"answered {answer.status}", final=refused)
    except TimeoutError:
        return _Answer(f"no answer within {TIMEOUT_S:.0f} s")
    except (aiohttp.ClientError, OSError) as error:
        return _Answer(str(error) or type(error).__name__)
