"""Leases: who is in them, until when, and who may take them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from proxy.control.discovery.instance import Registration
from proxy.control.discovery.leases import Leases, Taken, Unknown


def registration(instance: str = "cart-7", service: str = "cart", lease: str = "10s", **more: Any) -> Registration:
    said = {"service": service, "instance": instance, "app": "10.0.0.7:8080", "lease": lease, **more}
    return Registration.model_validate(said)


def test_a_lease_ends_unless_it_is_renewed() -> None:
    leases = Leases()
    assert leases.take(registration(), now=100.0)
    assert leases.renew("cart-7", now=109.9).ends == pytest.approx(119.9)
    assert leases.expire(now=119.8) == []
    assert leases.next_end() == pytest.approx(119.9)
    assert leases.expire(now=119.9) == [registration()]
    assert leases.held == ()
    assert leases.next_end() is None


def test_what_has_ended_cannot_be_renewed_even_before_it_is_taken_out() -> None:
    leases = Leases()
    leases.take(registration(), now=0.0)
    with pytest.raises(Unknown, match="register it again"):
        leases.renew("cart-7", now=10.0)
    with pytest.raises(Unknown):
        leases.renew("nobody", now=0.0)


def test_registering_again_renews_and_says_whether_anything_is_new() -> None:
    leases = Leases()
    assert leases.take(registration(), now=0.0)
    assert not leases.take(registration(), now=5.0)
    assert leases.held[0].ends == 15.0
    assert leases.take(registration(version="v2"), now=6.0)
    assert [one.version for one in leases.registrations] == ["v2"]


def test_a_name_belongs_to_one_service_until_it_is_given_up() -> None:
    leases = Leases()
    leases.take(registration(), now=0.0)
    with pytest.raises(Taken, match="registered for service cart"):
        leases.take(registration(service="pay"), now=1.0)
    assert leases.give_up("cart-7").service == "cart"
    assert leases.take(registration(service="pay"), now=2.0)
    with pytest.raises(Unknown):
        leases.give_up("cart-8")


def test_there_is_room_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.control.discovery.leases.MOST", 2)
    leases = Leases()
    for name in ("a", "b"):
        leases.take(registration(name), now=0.0)
    with pytest.raises(Taken, match="2 instances"):
        leases.take(registration("c"), now=0.0)
    leases.take(registration("b", version="v2"), now=0.0)


def test_leases_of_an_earlier_process_begin_anew() -> None:
    leases = Leases.begun([registration("a"), registration("b", lease="20s")], now=50.0)
    assert [lease.ends for lease in leases.held] == [60.0, 70.0]


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"lease": "500ms"}, "1s or more"),
        ({"lease": 30}, "expected a duration"),
        ({"app": "nowhere"}, "host:port"),
        ({"app": "unix:/run/cart.sock"}, "through a sidecar only"),
        ({"weight": 3}, "Extra inputs"),
        ({"instance": "Cart 7"}, "pattern"),
        (
            {"sidecar": {"node": "n", "inbound": "a:1", "outbound": "a:2", "admin": "a:3"}},
            "written in the configuration",
        ),
    ],
)
def test_a_registration_that_makes_no_sense_is_refused(said: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        registration(**said)


events = st.lists(
    st.tuples(st.sampled_from(["take", "renew", "leave", "wait"]), st.sampled_from("abc"), st.integers(0, 15)),
    max_size=40,
)


@given(events)
def test_whoever_spoke_within_the_length_of_a_lease_is_in_and_nobody_else(
    happened: list[tuple[str, str, int]],
) -> None:
    leases, now, last = Leases(), 0.0, dict[str, float]()
    for what, name, pause in happened:
        now += pause
        leases.expire(now)
        last = {each: spoke for each, spoke in last.items() if now - spoke < 10}
        if what == "take":
            leases.take(registration(name), now)
            last[name] = now
        elif what == "renew" and name in last:
            leases.renew(name, now)
            last[name] = now
        elif what == "leave" and name in last:
            leases.give_up(name)
            del last[name]
        assert {one.instance for one in leases.registrations} == set(last)
        assert leases.next_end() == min((spoke + 10 for spoke in last.values()), default=None)
