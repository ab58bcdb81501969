"""The proof sheet: true numbers, plain words, who was ruled out, and JSON that survives the trip."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rootcause.detect.symptom import Symptom
from rootcause.explain.finding import Finding
from rootcause.explain.headline import culprit_of, felt, title
from rootcause.explain.proof import explain
from rootcause.explain.queries import RollupQueries
from rootcause.judge.diagnose import diagnose
from rootcause.load.changes import Change
from rootcause.load.looked import Sample
from rootcause.load.spans import Span
from tests.rootcause.windows import FAULT_AT, QUESTION, windows
from tests.world.mesh_sim import Fault, Shop


def finding(*faults: Fault, change: Change | None = None) -> Finding:
    normal, question = windows(11, *faults)
    queries = RollupQueries(normal, question)
    verdict = diagnose(normal, question)
    return explain(verdict, normal, question, queries, incident="i1", now=QUESTION.end, change=change)


def test_slow_service() -> None:
    found = finding(Fault("latency", "payments", 300, FAULT_AT))
    assert found.title.startswith("payments is slow: front POST /checkout takes ")
    assert found.symptom.unit == "ms"
    assert found.symptom.observed - found.symptom.baseline == pytest.approx(300, rel=0.1)
    assert found.contribution.value == pytest.approx(300, rel=0.15)
    assert found.contribution.share > 0.9
    assert found.confidence > 0.9
    own = found.ranking[0].own_time_ms
    assert own is not None
    assert own.observed - own.baseline == pytest.approx(300, rel=0.1)
    why = {one.service: one.why for one in found.ruled_out}
    assert "waits for payments" in why["checkout"]
    assert "does not call payments" in why["catalog"]
    assert "payments" not in why


def test_who_is_slow_while_users_see_the_failures_of_another_is_told_by_its_own_time() -> None:
    normal, question = windows(11, Fault("link", "inventory", 200, FAULT_AT, source="cart"))
    verdict = diagnose(normal, question)
    failing = Symptom("front", "/", "errors", 0.0, 0.5, 0.5, 90.0)
    told = felt(replace(verdict, symptoms=(failing,)))
    assert (told.service, told.signal) == ("inventory", "latency")
    assert told.observed - told.baseline == pytest.approx(200, rel=0.1)
    assert title(replace(verdict, symptoms=(failing,)), culprit_of(verdict)).startswith(
        "the link cart -> inventory is slow: inventory takes "
    )


def test_bad_version_is_compared_with_the_good_one() -> None:
    found = finding(Fault("errors", "recommendations", 0.5, FAULT_AT, version="v2"))
    assert (found.culprit.version, found.culprit.instance) == ("v2", "recommendations-2")
    assert "v2 is affected, v1 beside it is not" in [evidence.statement for evidence in found.evidence]
    assert found.symptom.signal == "errors"
    assert 0 < found.symptom.observed <= 1


def test_link_names_both_ends() -> None:
    found = finding(Fault("link", "inventory", 200, FAULT_AT, source="cart"))
    assert found.culprit.model_dump(exclude_defaults=True) == {"service": "inventory", "link": "cart -> inventory"}
    link = found.ranking[0].link_ms
    assert link is not None
    assert link.observed - link.baseline == pytest.approx(200, rel=0.1)


def test_all_links_into_a_service() -> None:
    found = finding(Fault("link", "catalog", 100, FAULT_AT))
    assert found.culprit.link == "* -> catalog"
    assert found.title.startswith("the link to catalog is slow")
    assert len([one for one in found.evidence if one.statement.startswith("link ")]) == 2


def test_traces_show_the_trouble_and_how_it_should_be() -> None:
    fault = Fault("crash", "payments", 0, FAULT_AT, instance="payments-1")
    _, question = windows(11, fault)
    found = finding(fault)
    assert found.culprit.instance == "payments-1"
    failing = {row.error_trace for row in question.served if row.instance == "payments-1"}
    assert found.exemplars
    assert set(found.exemplars) <= failing
    assert found.counter_exemplars
    assert not set(found.counter_exemplars) & failing


def test_the_first_to_compare_with_is_the_most_usual_of_normal_time() -> None:
    def spans(seed: int, *faults: Fault) -> tuple[Span, ...]:
        return tuple(one.span for one in Shop(seed, rate=10, faults=faults).run(FAULT_AT, 30))

    fault = Fault("latency", "payments", 300, FAULT_AT)
    sample = Sample(spans(1), spans(2, fault))
    normal, question = windows(1, fault)
    found = explain(
        diagnose(normal, question),
        normal,
        question,
        RollupQueries(normal, question),
        incident="abc",
        now=QUESTION.end,
        sample=sample,
    )
    through = {span.trace for span in sample.before if span.service == "payments"}
    took = sorted(span.duration_ns for span in sample.before if not span.parent and span.trace in through)
    first = next(one for one in sample.before if not one.parent and one.trace == found.counter_exemplars[0])
    assert first.trace in through
    assert took[len(took) // 3] <= first.duration_ns <= took[2 * len(took) // 3]


def test_json_is_read_back_as_it_was() -> None:
    change = Change(
        time=datetime.fromtimestamp(FAULT_AT, UTC), kind="rollout", service="payments", summary="payments v1 -> v2"
    )
    found = finding(Fault("latency", "payments", 300, FAULT_AT), change=change)
    assert Finding.model_validate_json(found.model_dump_json()) == found
