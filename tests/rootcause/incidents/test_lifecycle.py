"""Lives of incidents: opened once, kept through flickers, closed when healed, reopened when it soon comes back."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from rootcause.incidents.lifecycle import (
    HEALED_AFTER_S,
    LONGEST_CALM_S,
    REOPENED_WITHIN_S,
    Incident,
    Lifecycle,
    Step,
)

EVERY_S = 5.0


def play(lives: Lifecycle, rounds: list[tuple[str, ...]], start: float = 0.0) -> list[tuple[float, str, str]]:
    """What happened when, mere updates left out; one evaluation every 5 s."""
    happened, ids = [], count()
    for index, blamed in enumerate(rounds):
        now = start + index * EVERY_S
        for event in lives.judge(now, blamed, strong=False, new_id=lambda: f"i{next(ids)}"):
            if event.step is not Step.UPDATED:
                happened.append((now, event.step.value, event.incident.culprit))
    return happened


def test_opens_when_it_holds_and_resolves_when_healed() -> None:
    rounds = [(), ("a",), ("a",), ("a",), *[()] * 10]
    assert play(Lifecycle(), rounds) == [(10.0, "opened", "a"), (15.0 + HEALED_AFTER_S, "resolved", "a")]


def test_a_single_blip_opens_nothing() -> None:
    assert play(Lifecycle(), [("a",), (), ("b",), ("a",), ()]) == []


def test_a_strong_signal_opens_at_once() -> None:
    (event,) = Lifecycle().judge(0.0, ("a",), strong=True, new_id=lambda: "i")
    assert event.step is Step.OPENED


def test_flickering_neither_closes_nor_reopens() -> None:
    rounds = [("a",), ("a",), *[(), ("a",), ()] * 10]
    assert play(Lifecycle(), rounds) == [(5.0, "opened", "a")]


def test_another_culprit_beside_an_open_one_needs_more() -> None:
    brief = [("a",), ("a",), ("b", "a"), ("b", "a"), ("b", "a"), ("a",)]
    assert play(Lifecycle(), brief) == [(5.0, "opened", "a")]
    lasting = [("a",), ("a",), *[("b", "a")] * 4]
    assert play(Lifecycle(), lasting)[-1] == (25.0, "opened", "b")


def test_of_two_culprits_at_once_each_gets_an_incident() -> None:
    both = [("a", "b")] * 5
    assert play(Lifecycle(), both) == [(5.0, "opened", "a"), (15.0, "opened", "b")]
    taking_turns = [("a", "b"), ("b", "a")] * 3
    assert [who for _, _, who in play(Lifecycle(), taking_turns)] == ["b", "a"]


def test_takes_up_what_was_open_before_a_restart() -> None:
    lives = Lifecycle([Incident("old", "a", 0.0, 100.0)])
    assert play(lives, [("a",), ("a",)], start=120.0) == []
    assert play(lives, [()] * 10, start=130.0) == [(150.0, "resolved", "a")]


def test_what_comes_back_soon_is_reopened_and_has_to_be_calm_twice_as_long() -> None:
    calm = int(HEALED_AFTER_S / EVERY_S)
    rounds = [("a",), ("a",), *[()] * (calm + 5), ("a",), ("a",), *[()] * (2 * calm)]
    back_at = EVERY_S * (2 + calm + 5 + 1)
    assert play(Lifecycle(), rounds) == [
        (5.0, "opened", "a"),
        (5.0 + HEALED_AFTER_S, "resolved", "a"),
        (back_at, "reopened", "a"),
        (back_at + 2 * HEALED_AFTER_S, "resolved", "a"),
    ]


def test_a_fault_that_comes_and_goes_becomes_one_that_lasts() -> None:
    on_and_off = [("a",), ("a",), *[()] * 10]
    happened = play(Lifecycle(), on_and_off * 60)
    assert len(happened) <= 6, happened
    assert happened[-1][1] == "reopened"
    assert Incident("i", "a", 0, 0, relapses=1_000).healed_after_s == LONGEST_CALM_S


def test_it_is_the_same_incident_also_after_a_restart_and_another_one_when_it_is_long_ago() -> None:
    for after_s, step, id in ((REOPENED_WITHIN_S, Step.REOPENED, "old"), (REOPENED_WITHIN_S + 1, Step.OPENED, "new")):
        lives = Lifecycle([Incident("old", "a", 0.0, 75.0, ended_at=100.0, relapses=2)])
        assert lives.open == ()
        (event,) = lives.judge(100.0 + after_s, ("a",), strong=True, new_id=lambda: "new")
        assert (event.step, event.incident.id) == (step, id)
        assert event.incident.relapses == (3 if id == "old" else 0)
        assert event.incident.opened_at == 100.0 + after_s


@given(st.lists(st.lists(st.sampled_from("abc"), unique=True, max_size=3).map(tuple), max_size=60))
def test_events_of_a_culprit_alternate(rounds: list[tuple[str, ...]]) -> None:
    lives = Lifecycle()
    happened = play(lives, rounds)
    for culprit in "abc":
        steps = [step.replace("reopened", "opened") for _, step, who in happened if who == culprit]
        assert steps == [("opened", "resolved")[index % 2] for index in range(len(steps))]
        assert (culprit in {incident.culprit for incident in lives.open}) == (len(steps) % 2 == 1)
