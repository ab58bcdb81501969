"""A webhook receiver of its own: keeps what it is told, and can be closed for a while."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Hook:
    """`got` is what arrived while it was open, the oldest first; closed, it answers 503 and only counts."""

    def __init__(self) -> None:
        self.open = True
        self.url = ""
        self.got: list[Any] = []
        self.refused = 0

    @property
    def events(self) -> list[str]:
        """Of messages in plain JSON."""
        return [message["event"] for message in self.got]


@contextmanager
def hook() -> Iterator[Hook]:
    """A receiver on a free port."""
    kept = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if kept.open:
                kept.got.append(json.loads(body))
            else:
                kept.refused += 1
            self.send_response(204 if kept.open else 503)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        kept.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        yield kept
        server.shutdown()
        thread.join()
