"""Rules on symptoms: what lasts, at whom, and whether an incident tells of it already."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rootcause.promises.symptoms import UNEXPLAINED, Felt, SymptomRule, SymptomRules

SLOW = Felt("front", "/", "latency", "front /: mean time 40 ms in normal time, 120 ms now", "SELECT 1", explained=False)
FAILING = replace(SLOW, signal="errors", statement="front /: failed requests 0 % in normal time, 3 % now")


def fired(rules: SymptomRules, at: float, *felt: Felt) -> list[str]:
    return [firing.title for firing in rules.firing(at, felt)]


def test_what_nothing_explains_is_told_after_a_minute_of_it() -> None:
    rules = SymptomRules(UNEXPLAINED)
    told = "front / is slow, and no service or link explains it"
    assert [fired(rules, at, SLOW) for at in (0, 55, 60, 65)] == [[], [], [told], [told]]
    (firing,) = rules.firing(70, [replace(SLOW, why="everything takes 3 times longer")])
    assert firing.why == "front /: mean time 40 ms in normal time, 120 ms now. everything takes 3 times longer"
    assert (firing.service, firing.severity, firing.value, firing.limit) == ("front", "warning", 70, 60)


def test_a_pause_or_an_incident_begins_the_minute_anew() -> None:
    for between in ((), (replace(SLOW, explained=True),)):
        rules = SymptomRules(UNEXPLAINED)
        assert fired(rules, 0, SLOW) == []
        assert fired(rules, 30, *between) == []
        assert [len(fired(rules, at, SLOW)) for at in (35, 60, 90, 95)] == [0, 0, 0, 1]


def test_any_symptom_can_be_told_at_once_each_service_once_by_its_worst() -> None:
    rules = SymptomRules([SymptomRule(name="any", explained=True, for_s=0)])
    other = replace(SLOW, service="admin", explained=True)
    found = fired(rules, 0, FAILING, SLOW, other)
    assert found == ["front / fails requests, and no service or link explains it", "admin / is slow"]


@pytest.mark.parametrize(
    ("rule", "many"),
    [
        (SymptomRule(name="r", for_s=0, signals=("errors",)), 1),
        (SymptomRule(name="r", for_s=0, signals=("throughput",)), 0),
        (SymptomRule(name="r", for_s=0, services=("front",)), 1),
        (SymptomRule(name="r", for_s=0, services=("admin",)), 0),
    ],
)
def test_a_rule_is_of_what_it_names(rule: SymptomRule, many: int) -> None:
    assert len(fired(SymptomRules([rule]), 0, FAILING)) == many
