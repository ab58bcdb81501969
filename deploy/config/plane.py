"""Asks the control plane over its HTTP API.

In: its address (given, of the run on this machine, or the default), a method, a path. Out: its JSON. Ends the command
with what is wrong, a mistake a line: exit code 3 when the control plane is away, 2 when it refuses.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from deploy.asking import Unanswered, ask_json
from deploy.local.reach import DEFAULT_URL, reach

REFUSED = 2
UNREACHABLE = 3
_TIMEOUT_S = 30.0
_AWAY = frozenset({502, 503, 504})

F = TypeVar("F", bound=Callable[..., Any])


class Plane:
    """One control plane, as a command sees it; what it sends elsewhere is asked there."""

    def __init__(self, command: str, url: str | None, state: Path | None) -> None:
        self._reach = reach(url, state, "--url")
        self.base = self._reach.url
        self._command = command

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """The JSON it answers, None when it answers nothing. Raises SystemExit."""
        try:
            return self._asked(self.base + path, method, body)
        except Unanswered as error:
            away = error.status == 0 or error.status in _AWAY
            raise self._end(UNREACHABLE if away else REFUSED, _words(error)) from None

    def _asked(self, url: str, method: str, body: Any, hops: int = 1) -> Any:
        headers = {"Mesh-Actor": getpass.getuser()}
        if token := self._reach.token:
            headers["Authorization"] = f"Bearer {token}"
        who = f"the control plane at {self.base}"
        try:
            root = self._reach.root
            return ask_json(url, who, method=method, body=body, headers=headers, timeout_s=_TIMEOUT_S, root=root)
        except Unanswered as error:
            where = error.headers.get("Location", "")
            if error.status != 307 or not hops or not where.startswith(("http://", "https://")):
                raise
        return self._asked(where, method, body, hops - 1)

    def _end(self, code: int, words: str) -> SystemExit:
        click.echo(f"whymesh {self._command}: {words}", err=True)
        return SystemExit(code)


def where(command: F) -> F:
    """The options that say which control plane to ask."""
    state = click.option("--state", type=click.Path(path_type=Path), help="State directory of the run to ask.")
    told = f"The control plane [default: that of the running demo or `up`, else {DEFAULT_URL}]."
    return click.option("--url", help=told)(state(command))


def _words(error: Unanswered) -> str:
    """What an answer says is wrong, with every mistake, and what is different on the other side."""
    try:
        said = json.loads(error.text)
        lines = [str(said["error"])]
    except (ValueError, KeyError, TypeError):
        return str(error)
    lines += [f"  {mistake}" for mistake in said.get("mistakes", [])]
    lines += [
        f"  {one['path']}: is {json.dumps(one['current'])} there, {json.dumps(one['yours'])} here"
        for one in said.get("differs", [])
    ]
    return "\n".join(lines)
