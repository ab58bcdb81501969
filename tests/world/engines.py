"""Engines in this process, configured through the snapshot models and stopped at the end of a test."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy._engine import Engine, Key
from proxy.snapshot import (
    Endpoint,
    Gateway,
    Inbound,
    Limits,
    Node,
    Outbound,
    Snapshot,
    Telemetry,
    Trust,
    Upstream,
    Workload,
)
from tests.world.otlp_sink import eventually
from tests.world.processes import free_port


@dataclass
class Sidecar:
    """One running engine and the addresses it serves."""

    engine: Engine
    snapshot: Snapshot

    @property
    def workload(self) -> Workload:
        """The first instance it stands beside."""
        return self.snapshot.workloads[0]

    @property
    def node(self) -> Node:
        return self.workload.node

    @property
    def inbound(self) -> str:
        assert self.workload.inbound
        return self.workload.inbound.listen

    @property
    def proxy(self) -> str:
        """The value of HTTP_PROXY for the application."""
        assert self.workload.outbound
        return f"http://{self.workload.outbound.listen}"

    @property
    def endpoint(self) -> Endpoint:
        """This instance, as others reach it."""
        return Endpoint(address=self.inbound, version=self.node.version, instance=self.node.instance)

    def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = json.loads(self.engine.stats())
        records = stats["records"]
        kept_back = records["held"] + records["forgotten"]
        sent = records["exported"] + records["pending"]
        assert records["recorded"] == sent + kept_back + sum(records["dropped"].values())
        logs = stats["access_log"]["otlp"]
        assert logs["recorded"] == logs["exported"] + logs["pending"] + sum(logs["dropped"].values())
        return stats

    def counted(self, **labels: str) -> int:
        """Requests counted under these labels."""
        series = self.stats()["requests"]
        return sum(one["count"] for one in series if labels.items() <= one.items())

    async def apply(self, **changes: Any) -> None:
        """Serves the snapshot with these changes, as the next epoch."""
        changed = self.snapshot.model_copy(update={"epoch": self.snapshot.epoch + 1, **changes})
        self.snapshot = Snapshot.model_validate_json(changed.model_dump_json())
        await asyncio.to_thread(self.engine.apply, self.snapshot.model_dump_json())

    async def change(self, **parts: Any) -> None:
        """Serves the first workload with these parts changed, as the next epoch."""
        await self.apply(workloads=(self.workload.model_copy(update=parts), *self.snapshot.workloads[1:]))

    async def drain(self, timeout_s: float = 5.0) -> bool:
        return await asyncio.to_thread(self.engine.drain, timeout_s)

    async def idle(self) -> None:
        """Returns once every record is exported or dropped."""
        await eventually(lambda: self.stats()["records"]["pending"] == 0, lambda: str(self.stats()["records"]))


def upstream(name: str, *endpoints: Endpoint | str, **more: Any) -> Upstream:
    """A service to call, at engines or at plain host:port addresses."""
    known = [
        Endpoint(address=each, version="v1", instance=f"{name}-{place}") if isinstance(each, str) else each
        for place, each in enumerate(endpoints, 1)
    ]
    return Upstream(name=name, authorities=(name,), endpoints=tuple(known), **more)


@contextlib.asynccontextmanager
async def sidecar(
    service: str,
    *,
    app: str | None = None,
    calls: tuple[Upstream, ...] | None = None,
    telemetry: str = "",
    workers: int = 1,
    version: str = "v1",
    zone: str | None = None,
    inbound: dict[str, Any] | None = None,
    outbound: Outbound | None = None,
    gateway: Gateway | None = None,
    queue_records: int = 65_536,
    batch_records: int = 4_096,
    export: dict[str, Any] | None = None,
    spool: Path | None = None,
    trust: Trust | None = None,
    shows: tuple[Key, list[bytes]] | None = None,
    **limits: int,
) -> AsyncIterator[Sidecar]:
    """An engine beside `app`, calling others when there are `calls`; exports to the `telemetry` URL.

    `export` holds other fields of the telemetry part; spans wait in `spool` while the collector is away. It believes
    those whom `trust` says, and shows the certificate `shows`.
    """
    beside = calls is not None and gateway is None
    snapshot = Snapshot(
        epoch=1,
        workloads=(
            Workload(
                node=Node(service=service, version=version, instance=f"{service}-1", zone=zone),
                inbound=Inbound(app=app, **{"listen": f"127.0.0.1:{free_port()}", **(inbound or {})}) if app else None,
                outbound=outbound or (Outbound(listen=f"127.0.0.1:{free_port()}") if beside else None),
                gateway=gateway,
                services=calls or (),
            ),
        ),
        telemetry=Telemetry(
            endpoint=telemetry,
            flush_ms=20,
            queue_records=queue_records,
            batch_records=batch_records,
            **export or {},
        ),
        limits=Limits(**limits),
        trust=trust or Trust(),
    )
    identities = {service: shows} if shows else None
    engine = await asyncio.to_thread(Engine, snapshot.model_dump_json(), workers, spool, None, identities)
    started = Sidecar(engine, snapshot)
    try:
        yield started
    finally:
        await started.drain(0.5)
