"""Which traces somebody names while their spans wait: pinned by a person, or in the finding of an incident.

In: mesh_pins and mesh_incidents. Out: ids of the last hour, now and then. Never: ids forgotten because the store is
away.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from collector.store.errors import StoreError

EVERY_S = 5.0
_MOST = 10_000
_SQL = f"""
SELECT TraceId AS trace FROM otel.mesh_pins WHERE Time > now() - INTERVAL 1 HOUR
UNION DISTINCT
SELECT arrayJoin(extractAll(Finding, '[0-9a-f]{{32}}')) AS trace FROM otel.mesh_incidents
WHERE UpdatedAt > now() - INTERVAL 1 HOUR
LIMIT {_MOST}
"""

Ask = Callable[[str], Awaitable[list[dict[str, Any]]]]


async def named(ask: Ask, tell: Callable[[list[str]], None]) -> None:
    """Reads the store and tells what is named, until cancelled."""
    while True:
        with contextlib.suppress(StoreError):
            tell([row["trace"] for row in await ask(_SQL)])
        await asyncio.sleep(EVERY_S)
