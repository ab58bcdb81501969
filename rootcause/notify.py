"""Tells the outside world: each incident opened and resolved goes to every webhook, in order, retried until delivered.

In: findings. Out: `POST` with JSON {event, sent_at, finding} to each target, and a Delivery for each.
Never: a redirect followed, a link-local or metadata address called unless that was allowed, a queue without bound.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
from yarl import URL

from rootcause.finding import Finding
from rootcause.journal import Delivery
from rootcause.targets import CheckedResolver

log = logging.getLogger(__name__)

ATTEMPTS = 8
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
TIMEOUT_S = 10.0
QUEUE = 1000


@dataclass(frozen=True, slots=True)
class Message:
    """One event of one incident."""

    event: str
    finding: Finding


def pause_s(attempt: int) -> float:
    """How long to wait after the given failed attempt (1, 2, …), in seconds: doubling, up to a minute."""
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (attempt - 1)))


class Notifier:
    """One queue and one worker a target, so that a slow target holds up nobody else. Belongs to one event loop."""

    def __init__(
        self, targets: Iterable[URL], record: Callable[[Delivery], None], *, allow_link_local: bool = False
    ) -> None:
        self._queues: dict[URL, asyncio.Queue[Message]] = {target: asyncio.Queue(QUEUE) for target in targets}
        self._record = record
        self._allow_link_local = allow_link_local
        self._workers: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Starts delivering."""
        resolver = CheckedResolver(allow_link_local=self._allow_link_local)
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), trust_env=False
        )
        for target, queue in self._queues.items():
            self._workers.append(asyncio.create_task(self._work(self._session, target, queue)))

    def tell(self, event: str, finding: Finding) -> None:
        """Queues a message for every target; when a queue is full the message is recorded as not delivered."""
        for target, queue in self._queues.items():
            try:
                queue.put_nowait(Message(event, finding))
            except asyncio.QueueFull:
                self._done(target, Message(event, finding), 0, "the queue of this target is full")

    async def stop(self, within_s: float) -> None:
        """Gives the queues some time to empty, then stops."""
        waiting = [queue.join() for queue in self._queues.values()]
        try:
            await asyncio.wait_for(asyncio.gather(*waiting), within_s)
        except TimeoutError:
            log.warning("stopping with notifications that could not be delivered")
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _work(self, session: aiohttp.ClientSession, target: URL, queue: asyncio.Queue[Message]) -> None:
        while True:
            message = await queue.get()
            error = ""
            for attempt in range(1, ATTEMPTS + 1):
                error = await _post(session, target, message)
                if not error or attempt == ATTEMPTS:
                    break
                log.warning("webhook %s: %s; attempt %d of %d", _shown(target), error, attempt, ATTEMPTS)
                await asyncio.sleep(pause_s(attempt))
            self._done(target, message, attempt, error)
            queue.task_done()

    def _done(self, target: URL, message: Message, attempts: int, error: str) -> None:
        if error:
            log.error(
                "webhook %s: %s of %s not delivered: %s", _shown(target), message.event, message.finding.id, error
            )
        self._record(
            Delivery(datetime.now(UTC), message.finding.id, message.event, _shown(target), not error, attempts, error)
        )


async def _post(session: aiohttp.ClientSession, target: URL, message: Message) -> str:
    """One attempt; the error in words, empty when the target answered 2xx."""
    finding = message.finding.model_dump(mode="json")
    body = json.dumps({"event": message.event, "sent_at": datetime.now(UTC).isoformat(), "finding": finding})
    headers = {"Content-Type": "application/json", "X-Whymesh-Delivery": f"{message.finding.id}/{message.event}"}
    try:
        async with session.post(target, data=body, headers=headers, allow_redirects=False) as answer:
            return "" if 200 <= answer.status < 300 else f"answered {answer.status}"
    except TimeoutError:
        return f"no answer within {TIMEOUT_S:.0f} s"
    except (aiohttp.ClientError, OSError) as error:
        return str(error) or type(error).__name__


def _shown(target: URL) -> str:
    """Without credentials and query, where people put tokens."""
    return str(target.with_user(None).with_query(None))
