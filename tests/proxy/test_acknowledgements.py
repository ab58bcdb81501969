"""What a proxy says of its snapshot, and when it says so anew."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from proxy.acknowledgements import Acknowledgements
from proxy.subscribe import ControlPlane
from tests.proxy.control.api.test_config import FRONT
from tests.world.controls import Control, control
from tests.world.processes import free_port

ENDED = "the certificate for shop.example at 0.0.0.0:8443 (/etc/shop.pem): ended 3 h ago: clients refuse it"


async def _known(plane: Control) -> Any:
    status, said = await plane.ask("GET", "/v1/status")
    assert status == 200
    return said["proxies"][0]["problems"]


async def test_problems_go_along_and_are_told_anew_when_they_change() -> None:
    problems: list[str] = []
    async with control(FRONT) as plane:
        told = Acknowledgements(ControlPlane(plane.url, "front-1", threading.Event()), lambda: problems)
        problems = [ENDED]
        await asyncio.to_thread(told.look)
        assert await _known(plane) == [], "nothing is said before there is a snapshot"
        await asyncio.to_thread(told.say, 1, True)
        assert await _known(plane) == [ENDED]
        problems = []
        await asyncio.to_thread(told.look)
        assert await _known(plane) == []
        problems = ["x" * 900] * 90
        await asyncio.to_thread(told.look)
        assert await _known(plane) == ["x" * 500] * 32


async def test_what_was_not_heard_is_said_again() -> None:
    async with control(FRONT) as plane:
        way = ControlPlane(f"http://127.0.0.1:{free_port()},{plane.url}", "front-1", threading.Event())
        told = Acknowledgements(way, lambda: [ENDED])
        await asyncio.to_thread(told.say, 1, True)
        assert await _known(plane) == []
        messages = way.messages()
        await asyncio.to_thread(next, messages)
        await asyncio.to_thread(told.look)
        assert await _known(plane) == [ENDED]
        messages.close()
