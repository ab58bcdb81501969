"""Queries that people keep under a name: one file each, `queries/NAME.sql` in the configuration folder of whymesh."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

_NAME = re.compile(r"[\w.-]{1,64}\Z")


def write(name: str, sql: str) -> None:
    """Raises UsageError when it is no name."""
    path = _path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sql.strip() + "\n")
    click.echo(f"kept as @{name} ({path})", err=True)


def read(name: str) -> str:
    """Raises UsageError, with the names there are, when there is none of this."""
    path = _path(name)
    try:
        return path.read_text()
    except FileNotFoundError:
        there = ", ".join(f"@{other.stem}" for other in sorted(path.parent.glob("*.sql"))) or "none yet"
        raise click.UsageError(f"no query is kept as @{name}; there are: {there}") from None


def _path(name: str) -> Path:
    if not _NAME.match(name) or name.startswith("."):
        raise click.UsageError(f"{name!r} is no name for a query: letters, digits, hyphens, dots")
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "whymesh" / "queries" / f"{name}.sql"
