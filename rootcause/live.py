"""The engine at work: evaluates on a clock, tells the webhooks, records what became of that.

In: settings. Out: incidents in the store, notifications, the API's answers. Queries run in threads, never on the loop.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from opentelemetry.trace import Span

from collector.store.client import Reader
from collector.store.errors import QueryFailed, StoreUnavailable
from rootcause.alerts.notify import Notifier
from rootcause.alerts.outbox import Outbox
from rootcause.alerts.signing import SecretRefused, read_secret
from rootcause.alerts.targets import Target, Wish, read_target
from rootcause.alerts.template import Template
from rootcause.announce import Announcer, told_of
from rootcause.blind import as_of
from rootcause.incidents.casebook import Casebook
from rootcause.incidents.closer_look import CloserLook
from rootcause.incidents.journal import Delivery, Journal
from rootcause.load.read_spans import read_request
from rootcause.orders import Orders
from rootcause.promises.alarm_book import AlarmBook, AlarmTold
from rootcause.promises.alarm_rows import AlarmRows
from rootcause.promises.guard import Guard
from rootcause.promises.symptoms import Felt, SymptomRules
from rootcause.settings import Recording, Settings, Webhook, Webhooks
from rootcause.telemetry import Telemetry
from rootcause.watch import Answer, Watch

log = logging.getLogger(__name__)

UNWRITTEN = 1000
LEAST_PAUSE_S = 0.2
"""Between two looks at what is due of the rules, however late they are."""


class Live:
    """The parts of one running engine. Raises ValueError for a store address or webhook that cannot be."""

    def __init__(self, settings: Settings) -> None:
        self._every_s = settings.every_s
        self._readers = _readers(settings.store)
        evaluate, book, guard, alarms, alerts, answers = self._readers
        self.store = str(evaluate.url)
        self.journal = Journal(answers)
        self.alarm_rows = AlarmRows(answers)
        self.read_request = partial(read_request, answers)
        self.book = Casebook(Journal(book))
        self.alarms = AlarmBook(AlarmRows(alarms))
        self._watch = Watch(evaluate, self.book)
        self._alerts = Journal(alerts)
        allow = settings.webhooks.allow_link_local
        self._deliveries: asyncio.Queue[Delivery] = asyncio.Queue(UNWRITTEN)
        outbox = Outbox(settings.state / "outbox.sqlite" if settings.state else None)
        self.telemetry = Telemetry(
            settings.telemetry, lambda: len(self.book.open), lambda: len(self.alarms.open), outbox.waiting
        )
        self._symptoms = SymptomRules(settings.symptoms)
        symptoms = self._symptoms.asked
        self._guard = Guard(guard, self.alarms, settings.objectives, settings.rules, self.telemetry.burning, symptoms)
        targets = _targets(settings.webhooks)
        still_open = partial(told_of, self.book, self.alarms, time.time)
        self._notifier = Notifier(targets, outbox, self._delivered, still_open=still_open, allow_link_local=allow)
        self._announcer = Announcer(self._notifier, still_open, Journal(evaluate), AlarmRows(evaluate))
        self._closer_look = _closer_look(settings.recording)
        self.orders = Orders(self.book, self.alarms, self._notifier)
        self._tasks: list[asyncio.Task[None]] = []
        self._looking: asyncio.Task[None] | None = None
        self._answer: Answer | None = None
        self._answered_at = 0.0
        self._failure = ""

    @property
    def ready(self) -> bool:
        """Whether the store has answered once."""
        return self._answer is not None

    @property
    def answer(self) -> Answer:
        """What is wrong, as far as that is known now."""
        return as_of(self._answer, self._answered_at, self._failure, time.time())

    async def start(self) -> None:
        """Starts evaluating and notifying."""
        await self._notifier.start()
        self._tasks = [asyncio.create_task(self._evaluate_for_ever()), asyncio.create_task(self._guard_for_ever())]
        self._recording = asyncio.create_task(self._record_for_ever())

    async def stop(self) -> None:
        """Delivers and records what is queued, if that works at once, and closes everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *filter(None, (self._looking,)), return_exceptions=True)
        await self._notifier.stop(within_s=2.0)
        try:
            await asyncio.wait_for(self._deliveries.join(), 2.0)
        except TimeoutError:
            log.warning("stopping with deliveries that could not be recorded")
        self._recording.cancel()
        await asyncio.gather(self._recording, return_exceptions=True)
        await asyncio.to_thread(self.telemetry.close)
        for reader in self._readers:
            await asyncio.to_thread(reader.close)

    async def _evaluate_for_ever(self) -> None:
        while True:
            began = time.monotonic()
            await self._evaluate()
            await asyncio.sleep(max(0.0, self._every_s - (time.monotonic() - began)))

    async def _evaluate(self) -> None:
        with self.telemetry.seconds.time(), self.telemetry.tracer.start_as_current_span("rootcause.evaluate") as span:
            try:
                answer, news = await asyncio.to_thread(self._watch.evaluate, time.time())
            except (StoreUnavailable, QueryFailed) as error:
                log.warning("no evaluation: %s", error)
                self._failed(span, error)
                return
            except Exception as error:
                # A mistake of ours in one evaluation must not end all later ones unseen.
                log.exception("no evaluation")
                self._failed(span, error)
                return
            span.set_attribute("whymesh.state", answer.state)
        self._answer, self._answered_at, self._failure = answer, time.time(), ""
        self.telemetry.evaluations.labels(answer.state).inc()
        self.telemetry.evaluated_at.set_to_current_time()
        for event, finding in news:
            self.telemetry.incidents.labels(event).inc()
            if event != "resolved":
                self._looking = asyncio.create_task(self._closer_look.order(finding))
        self._announcer.incidents([finding for event, finding in news if event == "resolved"])
        await self._announcer.catch_up()
        if answer.state != "not_enough_data":
            await self._judge_symptoms(answer)

    async def _judge_symptoms(self, answer: Answer) -> None:
        try:
            self._announce(await asyncio.to_thread(self._felt, time.time(), answer.felt))
        except (StoreUnavailable, QueryFailed) as error:
            log.warning("symptoms are not judged: %s", error)
        except Exception:
            # A mistake of ours in one round must not end all later ones unseen.
            log.exception("symptoms are not judged")

    def _felt(self, now: float, felt: Sequence[Felt]) -> list[AlarmTold]:
        self.alarms.resume()
        return self.alarms.judge(now, self._symptoms.firing(now, felt), self._symptoms.asked)

    async def _guard_for_ever(self) -> None:
        while True:
            least_s = LEAST_PAUSE_S
            try:
                self._announce(await asyncio.to_thread(self._guard.look, time.time()))
            except (StoreUnavailable, QueryFailed) as error:
                log.warning("objectives and rules are not judged: %s", error)
                self.telemetry.burning_unknown()
                least_s = self._every_s
            except Exception:
                # A mistake of ours in one round must not end all later ones unseen.
                log.exception("objectives and rules are not judged")
                least_s = self._every_s
            await asyncio.sleep(max(least_s, min(self._every_s, self._guard.pause_s(time.time()))))

    def _announce(self, news: Sequence[AlarmTold]) -> None:
        for event, _ in news:
            self.telemetry.alarms.labels(event).inc()
        self._announcer.alarms(news)

    def _failed(self, span: Span, error: Exception) -> None:
        self._failure = str(error) or type(error).__name__
        span.set_attribute("error.type", type(error).__name__)
        self.telemetry.evaluations.labels("failed").inc()

    def _delivered(self, delivery: Delivery) -> None:
        self.telemetry.notifications.labels("delivered" if delivery.delivered else "lost").inc()
        try:
            self._deliveries.put_nowait(delivery)
        except asyncio.QueueFull:
            log.warning("%s of %s is not recorded: too many are waiting", delivery.event, delivery.incident)

    async def _record_for_ever(self) -> None:
        while True:
            delivery = await self._deliveries.get()
            recorded = await self._recorded(delivery)
            while not recorded:
                await asyncio.sleep(self._every_s)
                recorded = await self._recorded(delivery)
            self._deliveries.task_done()

    async def _recorded(self, delivery: Delivery) -> bool:
        """Writes one delivery down; False when the store is away, so that it has to be tried again."""
        try:
            await asyncio.to_thread(self._alerts.write_delivery, delivery)
        except StoreUnavailable as error:
            log.warning("delivery of %s is not recorded yet: %s", delivery.incident, error)
            return False
        except QueryFailed as error:
            log.error("delivery of %s cannot be recorded: %s", delivery.incident, error)
        return True


def _readers(store: str) -> list[Reader]:
    """Raises ValueError."""
    try:
        return [Reader(store) for _ in range(6)]
    except ValueError as error:
        raise ValueError(f"store: {error}") from None


def _targets(told: Webhooks) -> list[Target]:
    """The webhooks of the settings, with what the files beside them hold. Raises ValueError."""
    key = _content("webhooks.pagerduty_key_file", told.pagerduty_key_file)
    text = _content("webhooks.secret_file", told.secret_file)
    try:
        secret = read_secret(text) if text else None
    except SecretRefused as error:
        raise ValueError(f"webhooks.secret_file {told.secret_file}: {error}") from None
    allow = told.allow_link_local
    told_so = partial(read_target, allow_link_local=allow, key=key, secret=secret, ui=told.ui)
    return [told_so(one.url, wish=_wish(one)) for one in told.urls]


def _wish(told: Webhook) -> Wish:
    template = None if told.template is None else Template(told.template)
    return Wish(told.services, told.severity, told.per_minute, told.gather_s, template)


def _closer_look(told: Recording | None) -> CloserLook:
    """Raises ValueError."""
    return CloserLook(told, _content("recording.token_file", told.token_file if told else None))


def _content(field: str, path: Path | None) -> str:
    try:
        return path.read_text().strip() if path is not None else ""
    except OSError as error:
        raise ValueError(f"{field} {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{field} {path}: this is no text") from None
