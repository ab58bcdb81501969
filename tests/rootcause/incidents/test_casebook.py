"""The casebook while the store is slow: nobody who only looks waits, and nothing anybody said is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

import pytest

from collector.store.client import Reader
from collector.store.errors import StoreUnavailable
from rootcause.alerts.trial import trial
from rootcause.detect.inside import felt_inside
from rootcause.explain.finding import Finding, Note
from rootcause.explain.proof import moment
from rootcause.incidents.casebook import Casebook, Seen
from rootcause.incidents.journal import Journal
from rootcause.incidents.lifecycle import Event, Incident, Step
from rootcause.incidents.silences import Silence
from tests.rootcause.windows import FAULT_AT, QUESTION, verdict, windows
from tests.world.mesh_sim import Fault

NOW = QUESTION.end
SLOW = Fault("latency", "payments", 300, FAULT_AT)


def note(text: str, now: float = NOW) -> Note:
    return Note(time=moment(now), by="ann", text=text)


class Store(Journal):
    """Keeps what is written in memory; `while_writing` runs once in the middle of the next write."""

    def __init__(self) -> None:
        super().__init__(Reader("clickhouse://rootcause@127.0.0.1:1/otel"))
        self.rows: dict[str, Finding] = {}
        self.while_writing: Callable[[], object] | None = None

    def open_incidents(self, ended_since: datetime) -> list[Finding]:
        return [one for one in self.rows.values() if one.resolved_at is None or one.resolved_at >= ended_since]

    def silences(self) -> list[Silence]:
        return []

    def incident(self, id: str) -> Finding | None:
        return self.rows.get(id)

    def write_silence(self, silence: Silence, now: datetime) -> None:
        self._meanwhile()

    def write_incident(self, finding: Finding) -> None:
        self._meanwhile()
        self.rows[finding.id] = finding

    def _meanwhile(self) -> None:
        meanwhile, self.while_writing = self.while_writing, None
        if meanwhile:
            meanwhile()


@pytest.fixture(scope="module")
def seen() -> Seen:
    return Seen(verdict(11, SLOW), *windows(11, SLOW), changes=(), now=NOW)


@pytest.fixture
def opened(seen: Seen) -> tuple[Casebook, Store]:
    store = Store()
    book = Casebook(store)
    book.resume(NOW)
    book.record(Event(Step.OPENED, incident()), seen)
    book.write()
    assert store.rows["i1"].state == "open"
    return book, store


def incident() -> Incident:
    return Incident("i1", "payments", NOW, NOW)


def test_what_users_feel_stays_told_though_later_less_of_it_is_known(
    opened: tuple[Casebook, Store], seen: Seen
) -> None:
    book, _ = opened
    first = seen.verdict.suspects[0]
    surer = replace(first, time_part=first.time_part + 0.01)
    inside = replace(
        seen.verdict,
        symptoms=(felt_inside(first, seen.observed.entry_calls),),
        suspects=(surer, *seen.verdict.suspects[1:]),
    )
    book.record(Event(Step.UPDATED, incident()), replace(seen, verdict=inside))
    assert book.open[0].symptom.service == "front"
    book.record(Event(Step.UPDATED, incident()), replace(seen, verdict=replace(inside, symptoms=seen.verdict.symptoms)))
    assert book.open[0].ranking[0].score > round(first.score, 3), "a better explanation of the same is taken"


def test_nobody_who_only_looks_waits_for_the_store(opened: tuple[Casebook, Store]) -> None:
    book, store = opened
    go_on, waits = threading.Event(), threading.Event()

    def slow() -> None:
        waits.set()
        assert go_on.wait(30)

    store.while_writing = slow
    silence = Silence(service="cart", until=moment(NOW + 60), by="ann", because="work")
    writing = threading.Thread(target=book.silence, args=(silence, NOW))
    writing.start()
    assert waits.wait(30)
    assert [finding.id for finding in book.open] == ["i1"]
    assert not book.silenced("cart", NOW), "it holds once it is written"
    assert book.silences(NOW) == []
    go_on.set()
    writing.join()
    assert book.silenced("cart", NOW)


def test_what_is_said_while_an_incident_goes_on_is_kept_with_what_went_on(
    opened: tuple[Casebook, Store], seen: Seen
) -> None:
    book, store = opened
    store.while_writing = lambda: book.record(Event(Step.RESOLVED, incident()), seen)
    said = book.note("i1", note("it was the disk"))
    assert said
    assert (said.state, [one.text for one in said.notes]) == ("resolved", ["it was the disk"])
    book.write()
    assert store.rows["i1"] == said
    assert book.open == ()


def test_a_later_state_is_not_taken_for_written(opened: tuple[Casebook, Store], seen: Seen) -> None:
    book, store = opened
    book.record(Event(Step.UPDATED, incident()), Seen(seen.verdict, seen.baseline, seen.observed, (), NOW + 60))
    store.while_writing = lambda: book.record(Event(Step.RESOLVED, incident()), seen)
    written: list[str] = []
    for _ in range(2):
        book.write()
        written.append(store.rows["i1"].state)
    assert written == ["open", "resolved"]


def test_what_a_store_does_not_take_has_not_been_said(opened: tuple[Casebook, Store]) -> None:
    book, store = opened

    def away() -> NoReturn:
        raise StoreUnavailable("the store is away")

    store.while_writing = away
    with pytest.raises(StoreUnavailable):
        book.acknowledge("i1", note("I look at it"))
    assert [finding.acknowledged for finding in book.open] == [None]
    assert book.note("none", note("nothing")) is None


def test_what_was_resolved_can_still_be_noted(opened: tuple[Casebook, Store], seen: Seen) -> None:
    book, store = opened
    store.rows["test"] = trial(moment(NOW))[1].model_copy(update={"id": "test"})
    said = book.note("test", note("seen"))
    assert said
    assert store.rows["test"].notes[0].text == "seen"


@pytest.mark.parametrize("restarted", [False, True])
def test_what_is_reopened_is_the_same_explained_anew_and_somebody_has_to_look_after_it_again(
    opened: tuple[Casebook, Store], seen: Seen, restarted: bool
) -> None:
    book, store = opened
    book.acknowledge("i1", note("on it"))
    book.record(Event(Step.RESOLVED, incident()), seen)
    book.note("i1", note("it was the disk"))
    book.write()
    assert book.open == ()
    if restarted:
        book = Casebook(store)
        book.resume(NOW + 60)
        assert book.open == ()
    later = NOW + 90
    again = replace(incident(), opened_at=later, relapses=1)
    told = book.record(Event(Step.REOPENED, again), replace(seen, now=later))
    assert told is not None
    event, finding = told
    assert (event, finding.id, finding.state, finding.resolved_at) == ("reopened", "i1", "open", None)
    assert (finding.opened_at, finding.reopened_at, finding.reopened) == (moment(NOW), moment(later), 1)
    assert finding.acknowledged is None
    assert [one.text for one in finding.notes] == ["it was the disk", "on it"]
    book.record(Event(Step.UPDATED, again), replace(seen, now=later + 40))
    assert (book.open[0].opened_at, book.open[0].reopened) == (moment(NOW), 1)
    book.write()
    assert store.rows["i1"].state == "open"


def test_what_an_earlier_run_left_is_in_the_order_in_which_it_opened() -> None:
    store = Store()
    older, newer = (trial(moment(NOW - before))[0].model_copy(update={"id": f"{before}"}) for before in (60, 30))
    store.rows = {newer.id: newer, older.id: older}
    book = Casebook(store)
    book.resume(NOW)
    assert [finding.id for finding in book.open] == ["60", "30"]
