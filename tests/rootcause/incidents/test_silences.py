"""Whom nobody is told about, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rootcause.incidents.silences import Silence, Silences

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def quiet(service: str, minutes: float) -> Silence:
    return Silence(service=service, until=NOW + timedelta(minutes=minutes), by="ann", because="work")


def test_a_silence_covers_its_service_until_it_is_over() -> None:
    silences = Silences([quiet("cart", 5)])
    assert silences.cover("cart", NOW)
    assert silences.cover("cart", NOW + timedelta(minutes=4.9))
    assert not silences.cover("cart", NOW + timedelta(minutes=5))
    assert not silences.cover("payments", NOW)


def test_everybody_is_a_service_too() -> None:
    assert Silences([quiet("*", 1)]).cover("payments", NOW)


def test_a_later_silence_takes_the_place_of_the_earlier() -> None:
    silences = Silences([quiet("cart", 60), quiet("front", 5)])
    silences.put(quiet("cart", 0))
    assert [silence.service for silence in silences.in_force(NOW)] == ["front"]
    assert not silences.cover("cart", NOW)
