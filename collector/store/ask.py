"""Runs one SELECT in the collector's own process and returns its rows.

In: SQL. Out: rows as dictionaries. Never: many of them; this is for a process that looks at itself.
"""

from __future__ import annotations

import json
from typing import Any

from collector.store.embedded import EmbeddedStore
from collector.store.running import Request


async def ask(store: EmbeddedStore, sql: str) -> list[dict[str, Any]]:
    """Raises StoreUnavailable, QueryFailed."""
    running = await store.start(
        Request(sql, format="JSONEachRow", settings={"output_format_json_quote_64bit_integers": "0"})
    )
    try:
        rows: list[dict[str, Any]] = []
        while (chunk := await running.next()) is not None:
            rows += [json.loads(line) for line in chunk.data.splitlines() if line]
        return rows
    finally:
        await running.close()
