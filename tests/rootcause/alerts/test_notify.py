"""Webhooks against a real receiver: in order, retried, recorded, never redirected."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from rootcause.alerts import notify
from rootcause.alerts.formats import FORMATS, Told
from rootcause.alerts.notice import Event, of_finding
from rootcause.alerts.notify import Notifier, pause_s
from rootcause.alerts.outbox import Outbox
from rootcause.alerts.pace import BURST
from rootcause.alerts.refusals import refusal
from rootcause.alerts.targets import Target, Wish
from rootcause.alerts.template import Template
from rootcause.alerts.trial import trial
from rootcause.explain.finding import Finding
from rootcause.explain.proof import explain
from rootcause.explain.queries import RollupQueries
from rootcause.incidents.journal import Delivery
from rootcause.judge.diagnose import diagnose
from tests.rootcause.windows import FAULT_AT, QUESTION, windows
from tests.world.mesh_sim import Fault
from tests.world.otlp_sink import eventually
from tests.world.processes import free_port

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def finding() -> Finding:
    normal, question = windows(1, Fault("latency", "payments", 300, FAULT_AT))
    verdict = diagnose(normal, question)
    queries = RollupQueries(normal, question)
    return explain(verdict, normal, question, queries, incident="abc", now=QUESTION.end)


def called(id: str, finding: Finding) -> Finding:
    """The same of another incident."""
    return finding.model_copy(update={"id": id})


@asynccontextmanager
async def receiver(answer: Callable[[int], web.Response]) -> AsyncIterator[tuple[URL, list[dict[str, Any]]]]:
    """A webhook that answers its n-th request with `answer(n)` and keeps what it got."""
    got: list[dict[str, Any]] = []

    async def hook(request: web.Request) -> web.Response:
        body = await request.read()
        got.append(json.loads(body) | {"headers": request.headers, "body": body})
        return answer(len(got))

    async with server(hook) as url:
        yield url.with_query(token="secret"), got


@asynccontextmanager
async def server(hook: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[URL]:
    """Where a webhook listens."""
    app = web.Application()
    app.router.add_post("/hook", hook)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield URL(f"http://127.0.0.1:{runner.addresses[0][1]}/hook")
    finally:
        await runner.cleanup()


async def delivered(target: URL, *told: tuple[Event, Finding]) -> list[Delivery]:
    """Tells a target, and returns what became of it."""
    deliveries: list[Delivery] = []
    notifier = Notifier([Target(target)], Outbox(None), deliveries.append)
    await notifier.start()
    for event, finding in told:
        notifier.tell(event, of_finding(finding))
    await notifier.stop(within_s=20.0)
    return deliveries


async def test_opened_then_resolved_as_json(finding: Finding) -> None:
    resolved = finding.model_copy(update={"state": "resolved"})
    async with receiver(lambda n: web.Response(status=204)) as (target, got):
        deliveries = await delivered(target, ("opened", finding), ("resolved", resolved))
    assert [message["event"] for message in got] == ["opened", "resolved"]
    assert Finding.model_validate(got[1]["finding"]) == resolved
    assert [(d.event, d.delivered, d.attempts) for d in deliveries] == [("opened", True, 1), ("resolved", True, 1)]
    assert all("secret" not in d.target for d in deliveries)


async def test_a_beginning_is_told_once_and_nothing_without_it(finding: Finding, tmp_path: Path) -> None:
    unheard = called("unheard", finding)
    async with receiver(lambda n: web.Response(status=204)) as (target, got):
        for _ in range(2):  # the second time after a restart
            notifier = Notifier([Target(target)], Outbox(tmp_path / "outbox.sqlite"), lambda delivery: None)
            await notifier.start()
            for event in ("resolved", "acknowledged"):
                notifier.tell(event, of_finding(unheard))
            for event in ("opened", "opened", "resolved", "resolved", "opened"):
                notifier.tell(event, of_finding(finding))
            await notifier.stop(within_s=20.0)
    assert [(message["event"], message["finding"]["id"]) for message in got] == [("opened", "abc"), ("resolved", "abc")]


async def test_the_end_comes_in_the_labels_of_the_beginning_though_more_is_known_by_then(finding: Finding) -> None:
    narrowed = finding.culprit.model_copy(update={"version": "v7"})
    failing = finding.symptom.model_copy(update={"signal": "errors"})
    later = finding.model_copy(update={"culprit": narrowed, "symptom": failing, "state": "resolved"})
    bodies: list[Any] = []

    async def hook(request: web.Request) -> web.Response:
        bodies.extend(await request.json())
        return web.Response(status=200)

    async with server(hook) as target:
        notifier = Notifier(
            [Target(target, "alertmanager", wish=Wish(severity="error"))], Outbox(None), lambda delivery: None
        )
        await notifier.start()
        notifier.tell("opened", of_finding(finding))
        notifier.tell("resolved", of_finding(later))
        await notifier.stop(within_s=20.0)
    assert ["endsAt" in alert for alert in bodies] == [False, True]
    assert bodies[0]["labels"] == bodies[1]["labels"]
    assert bodies[0]["labels"]["severity"] == "error"


async def test_what_turns_graver_is_told_once_more_and_first_to_who_wants_no_less(
    finding: Finding, tmp_path: Path
) -> None:
    slow = of_finding(finding)
    failing = slow.model_copy(update={"severity": "critical"})
    got: dict[str, list[Any]] = {"all": [], "critical": []}

    async def hook(request: web.Request) -> web.Response:
        got[request.query["wants"]].append(await request.json())
        return web.Response(status=200)

    async with server(hook) as url:
        targets = [
            Target(url.with_query(wants="all"), "pagerduty", "K"),
            Target(url.with_query(wants="critical"), "pagerduty", "K", wish=Wish(severity="critical")),
        ]
        for notice in (slow, failing, slow):  # each after a restart
            notifier = Notifier(targets, Outbox(tmp_path / "outbox.sqlite"), lambda delivery: None)
            await notifier.start()
            notifier.tell("opened", notice)
            notifier.tell("opened", notice)
            await notifier.stop(within_s=20.0)
        notifier = Notifier(targets, Outbox(tmp_path / "outbox.sqlite"), lambda delivery: None)
        await notifier.start()
        notifier.tell("resolved", slow)
        await notifier.stop(within_s=20.0)
    assert [_said(body) for body in got["all"]] == ["trigger error", "trigger critical", "resolve "]
    assert [_said(body) for body in got["critical"]] == ["trigger critical", "resolve "]
    assert len({body["dedup_key"] for bodies in got.values() for body in bodies}) == 1


def _said(body: Any) -> str:
    return f"{body['event_action']} {body.get('payload', {}).get('severity', '')}"


async def test_what_comes_back_is_told_again_once(finding: Finding, tmp_path: Path) -> None:
    before = finding.model_copy(update={"reopened": 1, "reopened_at": finding.opened_at})
    async with receiver(lambda n: web.Response(status=204)) as (target, got):
        for _ in range(2):  # the second time after a restart
            notifier = Notifier([Target(target)], Outbox(tmp_path / "outbox.sqlite"), lambda delivery: None)
            await notifier.start()
            for event in ("opened", "resolved"):
                notifier.tell(event, of_finding(finding))
            again = finding.model_copy(update={"reopened": 1, "reopened_at": datetime.now(UTC) + timedelta(hours=1)})
            for later in (before, again, again):  # the first is of an evaluation before the end was told
                notifier.tell("opened", of_finding(later))
            await notifier.stop(within_s=20.0)
            assert [message["event"] for message in got[:3]] == ["opened", "resolved", "reopened"]
    assert [message["event"] for message in got[3:]] == ["resolved", "reopened"], "its second end, and back again"


async def test_alertmanager_is_reminded_of_what_is_open_and_nobody_else(
    finding: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "REMIND_S", 0.05)
    still_open = [of_finding(finding), of_finding(called("unheard", finding))]
    posts: dict[str, list[Any]] = {"alertmanager": [], "json": []}

    async def hook(request: web.Request) -> web.Response:
        posts[request.query["as"]].append(await request.json())
        return web.Response(status=200)

    async with server(hook) as url:
        targets = [Target(url.with_query({"as": kind}), kind) for kind in FORMATS if kind in posts]
        notifier = Notifier(targets, Outbox(None), lambda delivery: None, still_open=lambda: still_open)
        await notifier.start()
        notifier.tell("opened", of_finding(finding))
        await eventually(lambda: len(posts["alertmanager"]) >= 4, "it is told again")
        still_open.clear()
        notifier.tell("resolved", of_finding(finding))
        await eventually(lambda: "endsAt" in posts["alertmanager"][-1][0], "the end")
        told = len(posts["alertmanager"])
        await notifier.stop(within_s=20.0)
    assert len(posts["alertmanager"]) == told, "what is over is not told again"
    assert {alert["labels"]["incident"] for post in posts["alertmanager"] for alert in post} == {"abc"}
    assert [message["event"] for message in posts["json"]] == ["opened", "resolved"]


async def test_retries_in_order(finding: Finding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "FIRST_PAUSE_S", 0.01)
    async with receiver(lambda n: web.Response(status=503 if n < 3 else 200)) as (target, got):
        first, second = await delivered(target, ("opened", finding), ("resolved", finding))
    assert [message["event"] for message in got] == ["opened", "opened", "opened", "resolved"]
    assert (first.delivered, first.attempts, second.attempts) == (True, 3, 1)


async def test_gives_up_and_says_so(finding: Finding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "FIRST_PAUSE_S", 0.001)
    async with receiver(lambda n: web.Response(status=404)) as (target, got):
        (delivery,) = await delivered(target, ("opened", finding))
    assert (delivery.delivered, delivery.attempts, delivery.error) == (False, notify.REFUSALS, refusal(404))
    assert len(got) == notify.REFUSALS


async def test_an_old_message_is_given_up(finding: Finding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "GIVE_UP_S", 0.0)
    async with receiver(lambda n: web.Response(status=500)) as (target, _):
        (delivery,) = await delivered(target, ("opened", finding))
    assert (delivery.delivered, delivery.attempts, delivery.error) == (False, 1, refusal(500))


async def test_what_was_not_delivered_goes_out_after_a_restart(finding: Finding, tmp_path: Path) -> None:
    down = True
    async with receiver(lambda n: web.Response(status=503 if down else 200)) as (target, got):

        async def run(*events: Event, within_s: float) -> list[Delivery]:
            deliveries: list[Delivery] = []
            notifier = Notifier([Target(target)], Outbox(tmp_path / "outbox.sqlite"), deliveries.append)
            await notifier.start()
            for event in events:
                notifier.tell(event, of_finding(finding))
            await notifier.stop(within_s)
            return deliveries

        assert await run("opened", "resolved", within_s=0.3) == []
        tried = len(got)
        assert {message["event"] for message in got} == {"opened"}, "the second waits for the first"
        down = False
        again = await run(within_s=20.0)
    assert [message["event"] for message in got[tried:]] == ["opened", "resolved"]
    assert [(delivery.event, delivery.delivered) for delivery in again] == [("opened", True), ("resolved", True)]
    assert again[0].attempts == tried + 1


async def test_a_signature_proves_who_sent_it(finding: Finding) -> None:
    key = b"0123456789abcdef0123"
    async with receiver(lambda n: web.Response(status=200)) as (target, got):
        notifier = Notifier([Target(target, secret=key)], Outbox(None), lambda delivery: None)
        await notifier.start()
        notifier.tell("opened", of_finding(finding))
        await notifier.stop(20.0)
    headers, body = got[0]["headers"], got[0]["body"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert headers["webhook-id"] == "abc.opened.1"


async def test_follows_no_redirect(finding: Finding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "REFUSALS", 1)
    elsewhere = web.Response(status=307, headers={"Location": "http://169.254.169.254/"})
    async with receiver(lambda n: elsewhere) as (target, _):
        (delivery,) = await delivered(target, ("opened", finding))
    assert not delivery.delivered
    assert "a redirect to http://169.254.169.254/, which is not followed" in delivery.error


async def test_a_trial_says_at_once_what_became_of_it(finding: Finding) -> None:
    opened, resolved = (of_finding(one) for one in trial(NOW))
    told: list[Told] = [("opened", opened), ("resolved", resolved)]
    recorded: list[Delivery] = []
    async with (
        receiver(lambda n: web.Response(status=200)) as (good, got),
        receiver(lambda n: web.Response(status=500)) as (bad, refused),
    ):
        picky = Target(good, wish=Wish(services=("nobody",), severity="critical"))
        notifier = Notifier([picky, Target(bad)], Outbox(None), recorded.append)
        await notifier.start()
        notifier.tell("opened", of_finding(finding))
        await eventually(lambda: notifier.standings()[1].error != "", "the bad one to refuse what is no test")
        waiting = notifier.standings()
        taken, not_taken = await notifier.try_out(told)
        await notifier.stop(0.0)
    assert [message["event"] for message in got] == ["opened", "resolved"], "whatever it wishes to hear of"
    assert (taken.delivered, taken.error) == (True, "")
    assert (not_taken.delivered, not_taken.error) == (False, refusal(500)), "though another message waits for it"
    assert [(one.waiting, one.error) for one in waiting] == [(0, ""), (1, refusal(500))]
    assert [message["finding"]["id"] for message in refused].count(opened.id) == 1, "the end of what was not told"
    assert [(one.event, one.delivered) for one in recorded if one.target == picky.name] == [
        ("opened", True),
        ("resolved", True),
    ]


async def test_whoever_is_not_there_is_said_so(finding: Finding) -> None:
    notifier = Notifier([Target(URL(f"http://127.0.0.1:{free_port()}/"))], Outbox(None), lambda delivery: None)
    await notifier.start()
    (delivery,) = await notifier.try_out([("opened", of_finding(finding))])
    await notifier.stop(0.0)
    assert (delivery.delivered, delivery.error) == (False, "cannot connect: Connection refused")


async def test_a_dead_target_holds_up_nobody_else(finding: Finding) -> None:
    arrived = asyncio.Event()

    def answer(_: int) -> web.Response:
        arrived.set()
        return web.Response(status=200)

    async with receiver(answer) as (target, _):
        notifier = Notifier([Target(URL("http://127.0.0.1:1/")), Target(target)], Outbox(None), lambda delivery: None)
        await notifier.start()
        notifier.tell("opened", of_finding(finding))
        await asyncio.wait_for(arrived.wait(), 20)
        await notifier.stop(within_s=0.0)


def test_pauses_double_up_to_a_minute() -> None:
    assert [pause_s(attempt) for attempt in (1, 2, 3, 20)] == [0.5, 1.0, 2.0, 60.0]


async def test_messages_that_come_together_go_out_together(finding: Finding) -> None:
    async with receiver(lambda n: web.Response(status=200)) as (target, got):
        deliveries: list[Delivery] = []
        notifier = Notifier([Target(target, "slack", wish=Wish(gather_s=0.2))], Outbox(None), deliveries.append)
        await notifier.start()
        events: tuple[Event, ...] = ("opened", "acknowledged", "resolved")
        for event in events:
            notifier.tell(event, of_finding(finding))
        await notifier.stop(within_s=20.0)
    assert [message["text"] for message in got] == ["3 messages: 1 opened, 1 acknowledged, 1 resolved"]
    assert [(one.event, one.delivered) for one in deliveries] == [
        ("opened", True),
        ("acknowledged", True),
        ("resolved", True),
    ]
    assert got[0]["headers"]["webhook-id"] == "abc.opened.1-3"


async def test_a_storm_goes_out_at_the_pace_of_the_target_and_nothing_of_it_is_lost(finding: Finding) -> None:
    async with receiver(lambda n: web.Response(status=200)) as (target, got):
        deliveries: list[Delivery] = []
        notifier = Notifier([Target(target, "slack", wish=Wish(per_minute=30))], Outbox(None), deliveries.append)
        await notifier.start()
        for number in range(BURST):
            notifier.tell("opened", of_finding(called(f"first-{number}", finding)))
            await eventually(lambda so_far=number: len(deliveries) > so_far, "it is delivered")  # type: ignore[misc]
        for number in range(25):
            notifier.tell("opened", of_finding(called(f"later-{number}", finding)))
        await notifier.stop(within_s=30.0)
    assert len(got) == BURST + 1
    assert got[-1]["text"] == "25 messages: 25 opened"
    assert len(deliveries) == BURST + 25


async def test_only_what_a_target_wants(finding: Finding) -> None:
    async with receiver(lambda n: web.Response(status=200)) as (target, got):
        wishes = (Wish(services=("cart",)), Wish(severity="critical"), Wish(services=("payments",), severity="error"))
        targets = [Target(target.with_query(n=number), wish=wish) for number, wish in enumerate(wishes)]
        deliveries: list[Delivery] = []
        notifier = Notifier(targets, Outbox(None), deliveries.append)
        await notifier.start()
        notifier.tell("opened", of_finding(finding))
        await notifier.stop(within_s=20.0)
    assert len(got) == len(deliveries) == 1, "payments is slow, which is an error"


async def test_what_a_template_cannot_say_is_given_up_at_once(finding: Finding, tmp_path: Path) -> None:
    path = tmp_path / "own.j2"
    path.write_text('{"text": {{ notice.detail.ranking[0].why | tojson }}}')
    bare = finding.model_copy(update={"ranking": ()})
    async with receiver(lambda n: web.Response(status=200)) as (target, got):
        deliveries: list[Delivery] = []
        notifier = Notifier([Target(target, wish=Wish(template=Template(path)))], Outbox(None), deliveries.append)
        await notifier.start()
        notifier.tell("opened", of_finding(bare))
        notifier.tell("resolved", of_finding(finding))
        await notifier.stop(within_s=20.0)
    assert [(one.delivered, one.attempts) for one in deliveries] == [(False, 1), (True, 1)]
    assert str(path) in deliveries[0].error
    assert got[0]["text"] == finding.ranking[0].why
