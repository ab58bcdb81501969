"""Of two suspects much alike, whoever was just changed comes first; a change alone makes nobody a suspect."""

from __future__ import annotations

from datetime import UTC, datetime

from rootcause.explain.changes import changed
from rootcause.judge.diagnose import diagnose
from rootcause.judge.prior import weighed
from rootcause.judge.suspect import Suspect
from rootcause.load.changes import Change
from tests.rootcause.windows import FAULT_AT, windows
from tests.world.mesh_sim import Fault

CART, PAYMENTS = Suspect("cart", error_part=0.4), Suspect("payments", error_part=0.3)


def test_a_change_decides_between_suspects_much_alike() -> None:
    assert weighed([CART, PAYMENTS], {"payments"}) == [PAYMENTS, CART]


def test_a_change_does_not_outweigh_the_evidence() -> None:
    clear = Suspect("cart", error_part=0.9)
    assert weighed([clear, PAYMENTS], {"payments"}) == [clear, PAYMENTS]


def test_nobody_is_blamed_because_something_changed() -> None:
    normal, question = windows(3)
    assert diagnose(normal, question, question.services).state == "nothing_wrong"


def test_an_innocent_change_does_not_hide_the_culprit() -> None:
    normal, question = windows(4, Fault("latency", "payments", 200, FAULT_AT))
    assert diagnose(normal, question, frozenset({"cart", "front"})).suspects[0].service == "payments"


def test_what_the_mesh_did_by_itself_is_no_change_of_a_service() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    found = changed(
        Change(time=at, kind=kind, service=service, summary="")
        for kind, service in (("rollout", "cart"), ("scale", "payments"), ("health", "front"), ("config", ""))
    )
    assert found == {"cart"}
