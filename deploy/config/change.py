"""`whymesh apply`, `diff`, `delete`, `rollback`: changes of the configuration, and what they would do."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from deploy.config.plane import REFUSED, Plane, where

_DRY = click.option("--dry-run", is_flag=True, help="Say what it would do, and do nothing.")
_FILE = click.option(
    "-f",
    "--file",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="A YAML file, a folder, or - for stdin.",
)


@click.command(name="apply")
@_FILE
@_DRY
@where
def apply(path: Path, dry_run: bool, url: str | None, state: Path | None) -> None:
    """Write documents to the mesh: all of them in one epoch, or none.

    A document with metadata.resourceVersion is written only if it is still of that version.

    \b
    Examples:
      whymesh apply -f canary.yaml
      whymesh get HTTPRoute/orders -o json | jq '...' | whymesh apply -f -
    \b
    Exit codes: 0 done, 2 refused, 3 the control plane cannot be reached.
    """
    plane = Plane("apply", url, state)
    told(plane.ask(f"/v1/config{_asked(dry_run)}", "POST", {"apply": _documents("apply", path)}), dry_run)


@click.command(name="diff")
@_FILE
@where
def diff(path: Path, url: str | None, state: Path | None) -> None:
    """Show what `whymesh apply` would change, document by document, and which proxies would be told.

    \b
    Example:
      whymesh diff -f canary.yaml
    \b
    Exit codes: 0 nothing, 1 something, 2 refused, 3 the control plane cannot be reached.
    """
    outcome = Plane("diff", url, state).ask("/v1/config?dryRun=true", "POST", {"apply": _documents("diff", path)})
    told(outcome, dry=True)
    raise SystemExit(1 if outcome["documents"] else 0)


@click.command(name="delete")
@click.argument("name", metavar="KIND/[NAMESPACE/]NAME")
@_DRY
@where
def delete(name: str, dry_run: bool, url: str | None, state: Path | None) -> None:
    """Delete a document; one of a file until its text there changes.

    \b
    Example:
      whymesh delete FaultInjection/slow-payments
    """
    told(Plane("delete", url, state).ask(path_of(name) + _asked(dry_run), "DELETE"), dry_run)


@click.command(name="rollback")
@click.argument("epoch", type=click.IntRange(min=1))
@_DRY
@where
def rollback(epoch: int, dry_run: bool, url: str | None, state: Path | None) -> None:
    """Write the documents as they were as of an epoch (whymesh history).

    \b
    Example:
      whymesh rollback 41 --dry-run
    """
    told(Plane("rollback", url, state).ask(f"/v1/rollback{_asked(dry_run)}", "POST", {"epoch": epoch}), dry_run)


def path_of(name: str) -> str:
    """The path of a document in the API."""
    parts = name.split("/")
    if len(parts) == 2:
        parts.insert(1, "default")
    if len(parts) != 3 or not all(parts):
        raise click.BadParameter(f"{name!r}: expected KIND/NAME or KIND/NAMESPACE/NAME")
    return "/v1/config/" + "/".join(quote(part, safe="") for part in parts)


def told(outcome: dict[str, Any], dry: bool = False) -> None:
    """What a change does: each document with its fields, and who hears of it."""
    for one in outcome["documents"]:
        click.echo(f"{one['kind']} {one['namespace']}/{one['name']} {one['verb']}")
        for field in one["fields"]:
            click.echo(f"  {field['path']}: {json.dumps(field['before'])} -> {json.dumps(field['after'])}")
    if not outcome["documents"]:
        click.echo("nothing is different")
        return
    proxies = outcome["proxies"]
    listed = ", ".join(proxies[:8]) + (" …" if len(proxies) > 8 else "")
    who = f"{len(proxies)} proxies: {listed}" if proxies else "no proxy"
    click.echo(f"would be told to {who}" if dry else f"epoch {outcome['epoch']}, told to {who}")


def _asked(dry: bool) -> str:
    return "?dryRun=true" if dry else ""


def _documents(command: str, path: Path) -> list[Any]:
    """Every document under a path, as it is written."""
    import yaml

    from proxy.control.reading import plain_yaml
    from proxy.control.reading.read import files_of

    found: list[Any] = []
    try:
        texts = [sys.stdin.read()] if str(path) == "-" else [file.read_text() for file in files_of(path)]
        for text in texts:
            for document in plain_yaml.documents(text):
                found += document if isinstance(document, list) else [document] if document is not None else []
        json.dumps(found)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, ValueError) as error:
        click.echo(f"whymesh {command}: {path}: {error}", err=True)
        raise SystemExit(REFUSED) from None
    return found
