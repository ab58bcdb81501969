"""The sidecar's admin port: /metrics /healthz /readyz /config /stats /tap /probe.

In: HTTP GETs from the loopback, one a connection. Out: what the engine counts and serves.
Never: a change; there is nothing to POST here.
"""

from __future__ import annotations

import json
import socket
import threading
from http import HTTPStatus
from itertools import islice
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from proxy import identity_metrics, metrics
from proxy.exposition import CONTENT_TYPE

if TYPE_CHECKING:
    from proxy.probes import Probes
    from proxy.sidecar import Sidecar

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_PROBE = "/probe/"
_LONGEST_LINE = 8 * 1024
_MOST_HEADERS = 100
_BLANK_S = 1.0
"""A line at least so often shows who has left."""


class AdminServer(ThreadingTCPServer):
    """Serves one sidecar's state from threads of its own; raises OSError when the address is taken."""

    daemon_threads = True
    allow_reuse_address = True
    allow_reuse_port = True

    def __init__(self, host: str, port: int, sidecar: Sidecar, probes: Probes, *, shared: bool = False) -> None:
        """`shared`: with the process whose place this one takes; it has the address until it stops."""
        if ":" in host:
            self.address_family = socket.AF_INET6
        if not shared:
            with socket.create_server((host, port), family=self.address_family):
                pass  # nobody else listens there: it would get a part of the requests
        super().__init__((host, port), _Handler)
        self.sidecar, self.probes = sidecar, probes

    def start(self) -> None:
        """Answers from a background thread until `shutdown`."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.2}, name="admin", daemon=True).start()

    def stop(self) -> None:
        """Answers no more; a second time it does nothing."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away or stalled is no defect worth a stack trace."""


class _Handler(StreamRequestHandler):
    server: AdminServer
    timeout = 5

    def handle(self) -> None:
        """Reads one request and answers it."""
        line = self.rfile.readline(_LONGEST_LINE)
        headers = iter(lambda: self.rfile.readline(_LONGEST_LINE).strip(), b"")
        if sum(1 for _ in islice(headers, _MOST_HEADERS)) == _MOST_HEADERS:
            self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TEXT, "too many headers\n")
            return
        match line.split():
            case [b"GET", target, _]:
                path, _, query = target.decode("latin-1").partition("?")
                self._page(path, query)
            case [_, _, _]:
                self._answer(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, "only GET; nothing can be changed here\n")
            case _:
                self._answer(HTTPStatus.BAD_REQUEST, _TEXT, "not HTTP/1.1\n")

    def _page(self, path: str, query: str) -> None:
        sidecar = self.server.sidecar
        match path:
            case "/healthz":
                self._answer(HTTPStatus.OK, _TEXT, "ok\n")
            case "/readyz":
                ready = sidecar.ready()
                status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, _TEXT, "ready\n" if ready else f"{sidecar.why_not_ready()}\n")
            case "/config":
                self._answer(HTTPStatus.OK, _JSON, sidecar.snapshot or "null")
            case "/stats":
                self._answer(HTTPStatus.OK, _JSON, sidecar.stats() or "null")
            case "/metrics":
                stats = sidecar.stats()
                page = metrics.render(json.loads(stats) if stats else None)
                page += identity_metrics.render(sidecar.identities)
                self._answer(HTTPStatus.OK, CONTENT_TYPE, page)
            case "/tap":
                self._tap(dict(parse_qsl(query, keep_blank_values=True)))
            case _ if path.startswith(_PROBE):
                self._probe(path.removeprefix(_PROBE))
            case _:
                self._answer(HTTPStatus.NOT_FOUND, _TEXT, "try /metrics /healthz /readyz /config /stats /tap\n")

    def _probe(self, name: str) -> None:
        try:
            why = self.server.probes.ask(name)
        except LookupError:
            self._answer(HTTPStatus.NOT_FOUND, _TEXT, "no such probe; see whymesh proxy --probes\n")
            return
        status = HTTPStatus.SERVICE_UNAVAILABLE if why else HTTPStatus.OK
        self._answer(status, _TEXT, f"{why or 'well'}\n")

    def _tap(self, wish: dict[str, str]) -> None:
        """Writes a line for each request for as long as there are any and somebody reads; blank ones in between."""
        try:
            view = self.server.sidecar.view(wish)
        except ValueError as error:
            self._answer(HTTPStatus.BAD_REQUEST, _TEXT, f"{error}\n")
            return
        except RuntimeError as error:
            self._answer(HTTPStatus.TOO_MANY_REQUESTS, _TEXT, f"{error}\n")
            return
        if view is None:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, f"{self.server.sidecar.state}\n")
            return
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n")
            while (lines := view.read(_BLANK_S)) is not None:
                self.wfile.write(lines or b"\n")
        finally:
            view.close()

    def _answer(self, status: HTTPStatus, content_type: str, body: str) -> None:
        raw = body.encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(raw)}\r\nConnection: close\r\n\r\n"
        )
        self.wfile.write(head.encode() + raw)
