"""What an instance says of itself when it registers: options of `whymesh register` and of `whymesh proxy`.

In: options. Out: the registration as JSON, for `POST /v1/instances`.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--app", help="Where the application listens: host:port or unix:/path."),
    click.option("--address", help="Where other proxies reach it, when not there."),
    click.option("--version", default="v1", show_default=True, help="The version it runs."),
    click.option("--zone", help="Where it runs."),
    click.option("--lease", default="30s", show_default=True, help="How long it stays unless renewed."),
)
TOKEN = click.option(
    "--token",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the control plane's token, which other machines need.",
)


def options(command: F) -> F:
    """Adds the options of a registration to a command."""
    for option in reversed((*_OPTIONS, TOKEN)):
        command = option(command)
    return command


def registration(service: str, instance: str, said: dict[str, str | None], sidecar: dict[str, str] | None) -> str:
    """The registration; what was not said is left to the control plane."""
    whole = {"service": service, "instance": instance, **said, "host": socket.gethostname()[:63], "sidecar": sidecar}
    return json.dumps({key: value for key, value in whole.items() if value is not None})
