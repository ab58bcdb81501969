"""An application that listens at a path, not at a port."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from proxy.snapshot import Outbound
from tests.world.apps import app, echo, websocket_echo
from tests.world.engines import sidecar, upstream
from tests.world.otlp_sink import otlp_sink
from tests.world.processes import free_port


async def test_requests_reach_the_application_through_its_socket(tmp_path: Path) -> None:
    async with (
        otlp_sink() as sink,
        app(echo, socket=tmp_path / "app.sock") as place,
        sidecar("back", app=place, telemetry=sink.url) as back,
        aiohttp.ClientSession() as session,
    ):
        for _ in range(3):
            async with session.post(f"http://{back.inbound}/a", data="body", headers={"host": "pay"}) as response:
                told = await response.json()
        assert (response.status, told["body"], told["headers"]["host"]) == (200, "body", "pay")
        assert {span["http.response.status_code"] for span in await sink.wait(3)} == {200}
        assert back.counted(direction="inbound", status="2xx") == 3


async def test_upgrades_and_tunnels_work_through_it(tmp_path: Path) -> None:
    async with (
        app(websocket_echo, socket=tmp_path / "app.sock") as place,
        sidecar("back", app=place) as back,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://{back.inbound}/") as socket,
    ):
        await socket.send_str("hello")
        assert await socket.receive_str(timeout=10) == "HELLO"

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(shout, tmp_path / "db.sock")
    async with (
        server,
        sidecar("db", app=f"unix:{tmp_path}/db.sock", inbound={"protocol": "tcp"}) as back,
    ):
        listen = f"127.0.0.1:{free_port()}"
        out = Outbound.model_validate(
            {"listen": f"127.0.0.1:{free_port()}", "listeners": [{"listen": listen, "service": "db"}]}
        )
        calls = (upstream("db", back.endpoint, protocol="tcp"),)
        async with sidecar("front", calls=calls, outbound=out):
            reader, writer = await asyncio.open_connection(*listen.split(":"))
            writer.write(b"select\n")
            assert await asyncio.wait_for(reader.read(), 10) == b"SELECT\n"
            writer.close()


async def test_one_that_speaks_first_is_heard(tmp_path: Path) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_unix_server(greet, tmp_path / "mail.sock")
    async with server, sidecar("mail", app=f"unix:{tmp_path}/mail.sock", inbound={"protocol": "detect"}) as back:
        reader, writer = await asyncio.open_connection(*back.inbound.split(":"))
        assert await asyncio.wait_for(reader.readline(), 10) == b"220 ready\r\n"
        writer.write(b"HELO\r\n")
        assert await asyncio.wait_for(reader.read(), 10) == b"HELO\r\n"
        writer.close()


async def test_an_application_that_is_not_there_is_refused_and_may_come_back(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    async with sidecar("back", app=f"unix:{path}") as back, aiohttp.ClientSession() as session:

        async def ask() -> int:
            async with session.get(f"http://{back.inbound}/") as response:
                return response.status

        assert await ask() == 503
        for _ in range(2):
            async with app(echo, socket=path):
                assert await ask() == 200
            path.unlink(missing_ok=True)
            assert await ask() == 503
        assert back.counted(reason="app_connect_refused", status="5xx") == 3


async def test_a_place_that_is_none_is_refused() -> None:
    async with sidecar("back", app="unix:/run/app.sock") as back:
        for place in ("unix:app.sock", f"unix:/{'a' * 107}"):
            whole = json.loads(back.snapshot.model_dump_json())
            whole["workloads"][0]["inbound"]["app"] = place
            with pytest.raises(ValueError, match=r"workloads\[0\].inbound.app: .*at most 107 bytes"):
                await asyncio.to_thread(back.engine.apply, json.dumps(whole))
