"""Asks the control plane over its HTTP API.

In: its address (given, of the run on this machine, or the default), a method, a path. Out: its JSON. Ends the command
with what is wrong, a mistake a line: exit code 3 when the control plane is away, 2 when it refuses.
"""

from __future__ import annotations

import getpass
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from deploy.asking import trusting
from deploy.local.state import default_state, find_running

DEFAULT_URL = "http://127.0.0.1:7460"
REFUSED = 2
UNREACHABLE = 3
_TIMEOUT_S = 30
_AWAY = frozenset({502, 503, 504})

F = TypeVar("F", bound=Callable[..., Any])


class Plane:
    """One control plane, as a command sees it; what it sends elsewhere is asked there."""

    def __init__(self, command: str, url: str | None, state: Path | None) -> None:
        running = find_running(state or default_state())
        base = url or (running.control if running else "") or DEFAULT_URL
        if not base.startswith(("http://", "https://")):
            raise click.BadParameter(f"{base}: expected http://host:port", param_hint="--url")
        self.base = base.rstrip("/")
        self._command = command

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """The JSON it answers, None when it answers nothing. Raises SystemExit."""
        try:
            return self._asked(self.base + path, method, body)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise self._end(UNREACHABLE if error.code in _AWAY else REFUSED, _words(text, error.code)) from None
        except (OSError, ValueError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise self._end(UNREACHABLE, f"no answer from the control plane at {self.base}: {reason}") from None

    def _asked(self, url: str, method: str, body: Any, hops: int = 1) -> Any:
        headers = {"Content-Type": "application/json", "Mesh-Actor": getpass.getuser()}
        if token := os.environ.get("WHYMESH_TOKEN"):
            headers["Authorization"] = f"Bearer {token}"
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, sent, headers, method=method)  # noqa: S310 (the scheme is checked above)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=trusting(url)) as answer:  # noqa: S310
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            where = error.headers.get("Location", "")
            if error.code != 307 or not hops or not where.startswith(("http://", "https://")):
                raise
            error.close()
            return self._asked(where, method, body, hops - 1)

    def _end(self, code: int, words: str) -> SystemExit:
        click.echo(f"whymesh {self._command}: {words}", err=True)
        return SystemExit(code)


def where(command: F) -> F:
    """The options that say which control plane to ask."""
    state = click.option("--state", type=click.Path(path_type=Path), help="State directory of the run to ask.")
    told = f"The control plane [default: that of the running demo or `up`, else {DEFAULT_URL}]."
    return click.option("--url", help=told)(state(command))


def columns(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows of text, each column as wide as it has to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def _words(text: str, status: int) -> str:
    """What an answer says is wrong, with every mistake, and what is different on the other side."""
    try:
        said = json.loads(text)
        lines = [str(said["error"])]
    except (ValueError, KeyError, TypeError):
        return text.strip() or f"the control plane answered {status}"
    lines += [f"  {mistake}" for mistake in said.get("mistakes", [])]
    lines += [
        f"  {one['path']}: is {json.dumps(one['current'])} there, {json.dumps(one['yours'])} here"
        for one in said.get("differs", [])
    ]
    return "\n".join(lines)
