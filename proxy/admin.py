"""The sidecar's admin port: /metrics /healthz /readyz /config /stats.

In: HTTP GETs from the loopback. Out: what the engine counts and serves. Never: a change; there is nothing to POST here.
"""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from proxy.metrics import EngineCollector

if TYPE_CHECKING:
    from proxy.sidecar import Sidecar

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


class AdminServer(ThreadingHTTPServer):
    """Serves one sidecar's state from threads of its own; raises OSError when the address is taken."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int, sidecar: Sidecar) -> None:
        super().__init__((host, port), _Handler)
        self.sidecar = sidecar
        self.metrics = CollectorRegistry()
        self.metrics.register(EngineCollector(sidecar.stats))

    def start(self) -> None:
        """Answers from a background thread until `shutdown`."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.2}, name="admin", daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: AdminServer
    timeout = 5
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        sidecar = self.server.sidecar
        match self.path.partition("?")[0]:
            case "/healthz":
                self._answer(HTTPStatus.OK, _TEXT, "ok\n")
            case "/readyz":
                ready = sidecar.ready()
                status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, _TEXT, "ready\n" if ready else f"{sidecar.state}\n")
            case "/config":
                self._answer(HTTPStatus.OK, _JSON, sidecar.snapshot or "null")
            case "/stats":
                self._answer(HTTPStatus.OK, _JSON, sidecar.stats() or "null")
            case "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.server.metrics).decode())
            case _:
                self._answer(HTTPStatus.NOT_FOUND, _TEXT, "try /metrics /healthz /readyz /config /stats\n")

    def _answer(self, status: HTTPStatus, content_type: str, body: str) -> None:
        raw = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Requests to the admin port are not worth a line each."""
