"""A closer look at the suspects: ordered of a real control plane, and no reason to fail when there is none."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rootcause.alerts.trial import trial
from rootcause.explain.finding import Culprit, Finding
from rootcause.incidents import closer_look
from rootcause.incidents.closer_look import CloserLook, suspects
from rootcause.settings import Recording
from tests.world.control import Mesh
from tests.world.processes import free_port


def finding(culprit: Culprit, feels_it: str) -> Finding:
    opened, _ = trial(datetime.now(UTC))
    symptom = opened.symptom.model_copy(update={"service": feels_it})
    return opened.model_copy(update={"culprit": culprit, "symptom": symptom})


def test_the_suspects_are_both_ends_of_a_link_and_whoever_feels_it() -> None:
    assert suspects(finding(Culprit(service="cart"), "cart")) == ["cart"]
    link = Culprit(service="inventory", link="cart -> inventory")
    assert suspects(finding(link, "front")) == ["inventory", "cart", "front"]


async def test_the_control_plane_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closer_look, "TIMEOUT_S", 60.0)  # a machine with much else to do takes its time
    mesh = Mesh(tmp_path)
    with mesh.control(), caplog.at_level(logging.INFO):
        await CloserLook(Recording(control=mesh.url, for_s=60), "").order(finding(Culprit(service="cart"), "front"))
        assert mesh.ask("GET", "/v1/recording")[1]["services"].keys() == {"cart", "front"}
        assert "cart, front record everything for 60 s" in caplog.text
        await CloserLook(Recording(control=mesh.url), "guess").order(finding(Culprit(service="cart"), "cart"))
        assert "answered 401" in caplog.text


async def test_nobody_there_is_logged_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    told = Recording(control=f"http://127.0.0.1:{free_port()}")
    await CloserLook(told, "").order(finding(Culprit(service="cart"), "cart"))
    assert "no closer look at ['cart']" in caplog.text
    await CloserLook(None, "").order(finding(Culprit(service="cart"), "cart"))
