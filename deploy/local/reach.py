"""Which control plane a command asks, by what it knows it, and what it shows.

In: what was typed, the run on this machine, the environment. Out: an address, a file of roots, a token. Never: the key
of a run shown to anybody but the control plane of that run.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import click

from deploy.asking import ROOT
from deploy.local.state import default_state, find_running

DEFAULT_URL = "http://127.0.0.1:7460"
TOKEN = "WHYMESH_TOKEN"  # noqa: S105  (the name of a variable)


@dataclass(frozen=True)
class Reach:
    """`root` and `token` are empty for none."""

    url: str
    root: str = ""
    token: str = field(default="", repr=False)


def reach(given: str | None, state: Path | None, option: str) -> Reach:
    """The control plane that was `given` with an option, else that of the run on this machine, else the usual one."""
    running = find_running(state or default_state())
    url = (given or (running.control if running else "") or DEFAULT_URL).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url}: expected http://host:port or https://host:port", param_hint=option)
    told, shown = os.environ.get(ROOT, ""), os.environ.get(TOKEN, "")
    if running is None or url != running.control or not running.control_root:
        return Reach(url, told, shown)
    with contextlib.suppress(OSError):  # of another user: what that one may is not for us
        shown = Path(running.operator_key).read_text().strip()
    return Reach(url, running.control_root, shown)
