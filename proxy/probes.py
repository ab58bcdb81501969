"""Asks the application how it is, for a kubelet whose own question would come to the proxy.

In: questions by name, as the injection of a Pod writes them. Out: why the application is not well. Never: a question
that is not among them; the admin port asks nothing that a caller makes up.
"""

from __future__ import annotations

import json
import socket
from typing import Any

_LONGEST_LINE = 1_024
_WELL = range(200, 400)
"""As the kubelet counts them."""


class Probes:
    """`text` is a JSON object: name -> {"port", "timeout" (s), and for HTTP "path", "headers": [[name, value]]}."""

    def __init__(self, text: str, host: str) -> None:
        """`host` is the Pod's own address; raises ValueError."""
        self._asked: dict[str, dict[str, Any]] = json.loads(text) if text else {}
        if not isinstance(self._asked, dict) or not all("port" in one for one in self._asked.values()):
            raise ValueError('--probes: expected {"name": {"port": 8080, "path": "/healthz"}}')
        self._host = host

    def ask(self, name: str) -> str:
        """Empty where all is well, else why not; raises LookupError for a name that is not known."""
        asked = self._asked[name]
        try:
            with socket.create_connection((self._host, asked["port"]), asked.get("timeout", 1)) as connection:
                return _answer(connection, asked, self._host) if "path" in asked else ""
        except OSError as error:
            return f"port {asked['port']}: {error.strerror or error}"


def _answer(connection: socket.socket, asked: dict[str, Any], host: str) -> str:
    named = f"[{host}]" if ":" in host else host
    headers = {"host": f"{named}:{asked['port']}", "user-agent": "whymesh-probe", "accept": "*/*"}
    headers |= {name.lower(): value for name, value in asked.get("headers", [])}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    path = asked["path"].replace(" ", "%20")
    connection.sendall(f"GET {path} HTTP/1.1\r\n{lines}connection: close\r\n\r\n".encode())
    with connection.makefile("rb") as answer:
        line = answer.readline(_LONGEST_LINE)
    match line.split(maxsplit=2):
        case [version, status, *_] if version.startswith(b"HTTP/1.") and status.isdigit():
            return "" if int(status) in _WELL else f"{path} answers {int(status)}"
    return f"{path} answers no HTTP"
