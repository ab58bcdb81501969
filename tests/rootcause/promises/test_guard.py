"""Objectives and rules over a real store: what burns, what is asked, what is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from collector.store.client import Reader
from rootcause.promises.alarm_book import AlarmBook
from rootcause.promises.alarm_rows import AlarmRows
from rootcause.promises.alarms import CALM_S
from rootcause.promises.counts import count, statement
from rootcause.promises.guard import EVERY_S, Guard
from rootcause.promises.objective import SENSIBLE, Latency, Objective
from rootcause.promises.rule import Rule
from tests.rootcause.stored import runs, send, store_url
from tests.world.collectors import Collector, collector
from tests.world.mesh_sim import Fault, Shop

START = 1_700_000_000.0
BROKEN_AT = START + 2_000
END = START + 2_400
FAULT = Fault("errors", "payments", 0.5, BROKEN_AT)
(ENTRIES,) = SENSIBLE


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector that has seen forty minutes of the shop, payments failing half its requests in the last six."""
    with collector(tmp_path_factory.mktemp("collector")) as running:
        send(running, Shop(5, rate=0.5, faults=(FAULT,)).run(START, END - START))
        yield running


@pytest.fixture
def reader(running: Collector) -> Iterator[Reader]:
    with Reader(store_url(running)) as reader:
        yield reader


def book(reader: Reader) -> AlarmBook:
    return AlarmBook(AlarmRows(reader))


def guard(reader: Reader, *rules: Rule, objectives: tuple[Objective, ...] = SENSIBLE) -> Guard:
    return Guard(reader, book(reader), objectives, rules)


def test_entry_points_keep_their_promise_until_something_breaks(running: Collector, reader: Reader) -> None:
    burnt: dict[tuple[str, int], Mapping[str, float]] = {}

    def burning(objective: str, window_s: int, times: Mapping[str, float]) -> None:
        burnt[objective, window_s] = times

    watch = Guard(reader, book(reader), SENSIBLE, (), burning)
    assert watch.look(BROKEN_AT) == []
    assert burnt["* availability 99.9%", 300] == {"front": 0.0}
    ((event, alarm),) = watch.look(END)
    assert (event, alarm.service, alarm.severity) == ("opened", "front", "critical")
    assert alarm.title == "front breaks its objective: 99.9 % of requests do not fail"
    assert alarm.value > alarm.limit == 14.4
    assert burnt["* availability 99.9%", 300]["front"] > 14.4
    assert runs(reader, [alarm.sql]) == [1]
    # Another engine takes it up; traffic that ended burns nothing, so it is over.
    later = guard(reader)
    assert later.look(END + 15) == []
    ((resolved, same),) = later.look(END + 400)
    assert (resolved, same.id) == ("resolved", alarm.id)
    kept = running.query(f"SELECT State, Severity, Service FROM otel.mesh_alarms FINAL WHERE Id = '{alarm.id}'")
    assert kept == [("resolved", "critical", "front")]
    assert AlarmRows(reader).open() == []


def test_too_little_history_is_no_reason(reader: Reader) -> None:
    # Five minutes into a run everything may look broken; an hour is not known yet.
    assert count(reader, ENTRIES, START + 300, 3_600)["front"].known_s <= 300
    assert guard(reader).look(START + 300) == []


def test_slow_requests_are_counted_to_the_percent(reader: Reader) -> None:
    whole = int(END - START)
    durations = "otel.otel_traces WHERE ServiceName = 'front' AND SpanKind = 'Server'"
    for quantile in (0.3, 0.5, 0.9, 0.99):
        within_ns = reader.rows(f"SELECT quantileExact({quantile})(Duration) AS q FROM {durations}")[0]["q"]
        # The sketch knows durations to a percent, and shares are read off it to a percent.
        slower = f"SELECT countIf(Duration > {within_ns} * %(off)s) / count() AS share FROM {durations}"
        most, least = (reader.rows(slower, {"off": off})[0]["share"] for off in (0.98, 1.02))
        objective = Objective(service="front", latency=Latency(within_ms=within_ns / 1e6, share=50))
        assert least - 0.011 <= count(reader, objective, END, whole)["front"].share <= most + 0.011
    never = Objective(service="front", latency=Latency(within_ms=0.001, share=99))
    always = Objective(service="front", latency=Latency(within_ms=60_000, share=99))
    assert count(reader, never, END, whole)["front"].share == 1.0
    assert count(reader, always, END, whole)["front"].share <= 0.001


def test_an_objective_may_be_of_one_route_and_its_name_is_no_sql(reader: Reader) -> None:
    checkout = Objective(service="front", route="/checkout", availability=99)
    everything = Objective(service="front", availability=99)
    whole = int(END - START)
    assert 0 < count(reader, checkout, END, whole)["front"].calls < count(reader, everything, END, whole)["front"].calls
    hostile = Objective(service="x' OR 1 = 1 --\\", availability=99)
    assert count(reader, hostile, END, whole) == {}
    assert "x\\' OR" in statement(hostile, START, END)


def test_a_rule_fires_while_its_query_returns_rows(reader: Reader) -> None:
    failing = Rule(
        name="failing",
        severity="error",
        every_s=5,
        sql="SELECT Service AS service, sum(OwnErrors) AS value FROM otel.mesh_routes GROUP BY 1 HAVING value > 9",
    )
    calm = Rule(name="calm", sql="SELECT 1 WHERE 0")
    wrong = Rule(name="wrong", sql="SELECT nothing FROM nowhere")
    kept = book(reader)
    watch = Guard(reader, kept, (), (failing, calm, wrong))
    ((event, alarm),) = watch.look(END)
    assert (event, alarm.rule, alarm.service, alarm.severity) == ("opened", "failing", "payments", "error")
    assert alarm.value > 9
    assert alarm.why.startswith("service payments, value ")
    assert alarm in kept.open


def test_a_rule_is_asked_no_oftener_than_it_says(reader: Reader) -> None:
    kept = book(reader)
    watch = Guard(reader, kept, (), (Rule(name="now", every_s=60, sql="SELECT 1 AS value"),))

    def asked_after(seconds: float) -> float:
        watch.look(END + seconds)
        (alarm,) = (alarm for alarm in kept.open if alarm.rule == "now")
        return alarm.updated_at.timestamp() - END

    assert [asked_after(seconds) for seconds in (0, 15, 59, 60, 75)] == [0, 0, 0, 60, 60]


def test_an_alarm_of_a_rule_that_is_in_the_settings_no_more_ends(reader: Reader) -> None:
    guard(reader, Rule(name="gone", sql="SELECT 1 AS value"), objectives=()).look(END)
    later = guard(reader, objectives=())

    def ended(now: float) -> list[str]:
        return [event for event, alarm in later.look(now) if alarm.rule == "gone"]

    assert [ended(END + CALM_S - 1), ended(END + CALM_S)] == [[], ["resolved"]]


def test_a_rule_that_the_store_refuses_is_an_alarm_until_it_is_mended(reader: Reader) -> None:
    wrong = Rule(name="disk", every_s=5, sql="SELECT usage FROM otel.mesh_routes")
    watch = guard(reader, wrong, objectives=())
    assert watch.look(END) == [], "once may be bad luck"
    ((event, alarm),) = watch.look(END + 5)
    assert (event, alarm.rule, alarm.title) == ("opened", "disk (refused)", "rule disk cannot be asked")
    assert "usage" in alarm.why
    mended = guard(reader, wrong.model_copy(update={"sql": "SELECT 1 WHERE 0"}), objectives=())
    ((event, ended),) = mended.look(END + 10)
    assert (event, ended.id) == ("resolved", alarm.id)


def test_it_says_when_it_has_to_look_again(reader: Reader) -> None:
    watch = guard(reader, Rule(name="now", every_s=60, sql="SELECT 1 WHERE 0"))
    watch.look(END)
    assert watch.pause_s(END + 5) == EVERY_S - 5
    assert guard(reader, objectives=()).pause_s(END) == EVERY_S


def test_a_rule_asks_and_does_nothing_else() -> None:
    with pytest.raises(ValueError, match="starts with SELECT or WITH"):
        Rule(name="r", sql="DROP TABLE otel.otel_traces")
