"""Applications on threads of the test itself, for tests that drive processes and need no event loop."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar


class Answering(BaseHTTPRequestHandler):
    """Answers every GET with 200 and a body."""

    protocol_version = "HTTP/1.1"

    def body(self) -> bytes:
        """What it says to this request."""
        return b"hi"

    def do_GET(self) -> None:
        body = self.body()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the output of a test is its own."""


class Application(ThreadingHTTPServer):
    """Listens on a free loopback port, with room for as many as a caller at a constant rate opens at once."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler] = Answering) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


A = TypeVar("A", bound=Application)


@contextlib.contextmanager
def serving(application: A) -> Iterator[A]:
    """The application answers while the block runs."""
    thread = threading.Thread(target=application.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield application
    finally:
        application.shutdown()
        application.server_close()
        thread.join()
