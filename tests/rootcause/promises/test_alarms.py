"""An alarm opens once, goes on, and is over when its rule is calm; one per rule and service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from rootcause.explain.finding import Note
from rootcause.promises.alarms import CALM_S, AlarmNews, Alarms, Firing, Severity

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def fired(rule: str = "r", service: str = "a", severity: Severity = "warning", value: float = 1.0) -> Firing:
    return Firing("rule", rule, service, severity, f"{rule} of {service}", "because", value, 0.0, "SELECT 1")


class Rounds:
    """Rounds of one set of alarms, so many seconds after the start."""

    def __init__(self) -> None:
        self.alarms = Alarms()
        self._ids = count()

    def at(self, after_s: float, *firing: Firing, asked: bool = True, over_after_s: float = CALM_S) -> list[str]:
        news: list[AlarmNews] = self.alarms.judge(
            START + timedelta(seconds=after_s),
            firing,
            {"r": over_after_s} if asked else {},
            lambda: f"id{next(self._ids)}",
        )
        return [f"{event} {alarm.id}" for event, alarm in news]


def test_an_alarm_opens_goes_on_and_is_over_when_calm() -> None:
    rounds = Rounds()
    assert rounds.at(0, fired()) == ["opened id0"]
    assert rounds.at(15, fired(value=2.0)) == ["updated id0"]
    assert rounds.alarms.open[0].value == 2.0
    assert rounds.at(30) == []
    assert rounds.at(15 + CALM_S - 1) == []
    assert rounds.at(15 + CALM_S) == ["resolved id0"]
    assert rounds.alarms.open == ()


def test_a_rule_may_say_how_long_it_has_to_be_calm() -> None:
    rounds = Rounds()
    rounds.at(0, fired())
    assert rounds.at(4, over_after_s=5) == []
    assert rounds.at(5, over_after_s=5) == ["resolved id0"]
    rounds.at(6, fired())
    assert rounds.at(7, over_after_s=0) == ["resolved id1"]


def test_what_comes_back_soon_is_the_same_alarm() -> None:
    rounds = Rounds()
    rounds.at(0, fired())
    rounds.at(40)
    assert rounds.at(55, fired()) == ["updated id0"]


def test_services_of_a_rule_are_alarms_of_their_own() -> None:
    rounds = Rounds()
    assert rounds.at(0, fired(service="a"), fired(service="b")) == ["opened id0", "opened id1"]
    assert rounds.at(CALM_S, fired(service="b")) == ["updated id1", "resolved id0"]


def test_a_rule_that_could_not_be_asked_resolves_nothing() -> None:
    rounds = Rounds()
    rounds.at(0, fired())
    assert rounds.at(10 * CALM_S, asked=False) == []
    assert rounds.at(11 * CALM_S) == ["resolved id0"]


def test_an_alarm_may_become_graver_and_not_milder() -> None:
    rounds = Rounds()
    rounds.at(0, fired(severity="warning"))
    assert rounds.at(15, fired(severity="error")) == ["worsened id0"]
    assert rounds.at(30, fired(severity="critical")) == ["worsened id0"]
    assert rounds.at(45, fired(severity="warning", value=2.0)) == ["updated id0"]
    (alarm,) = rounds.alarms.open
    assert (alarm.severity, alarm.value) == ("critical", 2.0)


def test_what_people_said_stays_when_it_goes_on() -> None:
    rounds = Rounds()
    rounds.at(0, fired())
    (alarm,) = rounds.alarms.open
    said = Note(time=START, by="ann", text="on it")
    taken = alarm.later(START, acknowledged=said)
    assert taken.updated_at > alarm.updated_at, "the newest row holds"
    rounds.alarms.put(taken)
    rounds.at(0, fired(value=3.0))
    (after,) = rounds.alarms.open
    assert (after.acknowledged, after.value, after.updated_at > taken.updated_at) == (said, 3.0, True)
    rounds.at(CALM_S)
    rounds.at(CALM_S + 1, fired())
    rounds.alarms.put(taken)
    assert rounds.alarms.open[0].acknowledged is None, "it is another one"


def test_open_alarms_survive_a_restart() -> None:
    rounds = Rounds()
    rounds.at(0, fired())
    later = Rounds()
    later.alarms = Alarms(rounds.alarms.open)
    assert later.at(15, fired()) == ["updated id0"]
    assert later.at(15 + CALM_S) == ["resolved id0"]
