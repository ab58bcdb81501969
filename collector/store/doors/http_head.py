"""Begins the head of an answer while its query runs: a header of progress at a time, as ClickHouse does when asked.

aiohttp writes a head at once. So the status line and the headers of progress go out as they come, and the head that
follows begins with the last of them where its status line would be.
"""

import json
from typing import Final

from aiohttp import web

from collector.store.running import Progress

_BEGUN: Final = web.RequestKey("begun", str)
_OK: Final = b"HTTP/1.1 200 OK\r\n"


def tell(http: web.Request, progress: Progress) -> None:
    """Writes one header of progress; from the first on, the answer has status 200 whatever follows."""
    if http.transport is None or http.transport.is_closing():
        return
    figures = {
        "read_rows": progress.rows,
        "read_bytes": progress.bytes,
        "total_rows_to_read": progress.rows_to_read,
        "elapsed_ns": progress.elapsed_ns,
    }
    line = f"X-ClickHouse-Progress: {json.dumps({name: str(value) for name, value in figures.items()})}"
    http.transport.write((_OK if _BEGUN not in http else b"") + line.encode() + b"\r\n")
    http[_BEGUN] = line


class _Continued(web.StreamResponse):
    """Knows whether its head has begun."""

    async def _write_headers(self) -> None:
        if self._req is None or self._payload_writer is None or _BEGUN not in self._req:
            await super()._write_headers()
            return
        await self._payload_writer.write_headers(self._req[_BEGUN], self._headers)


class Streamed(_Continued):
    """An answer of unknown length."""


class Whole(_Continued, web.Response):
    """An answer that is there."""
