"""Asks the root-cause engine over its HTTP API.

In: its address (given, of the run on this machine, or the default), a method, a path. Out: its JSON. Ends the command
with one sentence: exit code 3 when the engine is away or does not know, 2 when it refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from deploy.asking import TIMEOUT_S, Unanswered, ask_json
from deploy.local.state import default_state, find_running

DEFAULT_URL = "http://127.0.0.1:7470"
REFUSED = 2
UNREACHABLE = 3
_NOTHING_THERE = 404
_UNKNOWN = frozenset({_NOTHING_THERE, *range(500, 600)})

F = TypeVar("F", bound=Callable[..., Any])


class Engine:
    """One engine, as a command sees it."""

    def __init__(self, command: str, url: str | None, state: Path | None) -> None:
        running = find_running(state or default_state())
        base = url or (running.rootcause if running else DEFAULT_URL)
        if not base.startswith(("http://", "https://")):
            raise click.BadParameter(f"{base}: expected http://host:port", param_hint="--url")
        self.base = base.rstrip("/")
        self._who = f"the root-cause engine at {self.base}"
        self._command = command

    def ask(
        self, path: str, method: str = "GET", body: dict[str, Any] | None = None, timeout_s: float = TIMEOUT_S
    ) -> Any:
        """The JSON it answers, None when it answers nothing. Raises SystemExit."""
        try:
            return ask_json(self.base + path, self._who, method=method, body=body, timeout_s=timeout_s)
        except Unanswered as error:
            raise self._refused(error) from None

    def find(self, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any | None:
        """The JSON it answers, None when it has nothing there. Raises SystemExit."""
        try:
            return ask_json(self.base + path, self._who, method=method, body=body)
        except Unanswered as error:
            if error.status == _NOTHING_THERE:
                return None
            raise self._refused(error) from None

    def _refused(self, error: Unanswered) -> SystemExit:
        unknown = error.status == 0 or error.status in _UNKNOWN
        return self.end(UNREACHABLE if unknown else REFUSED, error.word or str(error))

    def end(self, code: int, sentence: str) -> SystemExit:
        """Says why the command ends."""
        click.echo(f"whymesh {self._command}: {sentence}", err=True)
        return SystemExit(code)


def where(command: F) -> F:
    """The options that say which engine to ask."""
    command = click.option("--state", type=click.Path(path_type=Path), help="State directory of the run to ask.")(
        command
    )
    told = f"The root-cause engine [default: that of the running demo or `up`, else {DEFAULT_URL}]."
    return click.option("--url", help=told)(command)
