"""The processes of a mesh find each other over IPv6, by the configuration that says so."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp

from tests.world import meshes
from tests.world.apps import app, echo
from tests.world.otlp_sink import otlp_sink
from tests.world.processes import free_port, get, running


def at() -> str:
    return f"[::1]:{free_port()}"


async def test_a_sidecar_and_its_control_plane(tmp_path: Path) -> None:
    side = {"inbound": at(), "outbound": at(), "admin": at()}
    control = at()
    async with app(echo, "::1") as address, otlp_sink(host="::1") as sink:
        shop: dict[str, Any] = {"instance": "shop-1", "app": address, "sidecar": side}
        spans = {"endpoint": sink.url.removesuffix("/v1/traces"), "flush": "20ms"}
        file = meshes.write(tmp_path / "mesh.yaml", meshes.mesh(telemetry=spans), meshes.service("shop", shop))
        with (
            running("proxy.control", "-f", str(file), "--listen", control, log=tmp_path / "control.log") as plane,
            running(
                "proxy", "--instance", "shop-1", "--admin", side["admin"], "--control", f"http://{control}",
                log=tmp_path / "sidecar.log",
            ) as proxy,
        ):  # fmt: skip
            await asyncio.to_thread(plane.ready, f"http://{control}/healthz")
            await asyncio.to_thread(proxy.ready, f"http://{side['admin']}/readyz")
            async with (
                aiohttp.ClientSession() as session,
                session.get("http://shop/a", proxy=f"http://{side['outbound']}") as response,
            ):
                assert response.status == 200
            assert len(await sink.wait(2)) == 2
            status, config = await asyncio.to_thread(get, f"http://{side['admin']}/config")
            assert status == 200
            assert side["inbound"] in json.dumps(json.loads(config))
