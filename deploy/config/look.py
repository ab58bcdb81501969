"""`whymesh get`, `history`, `status`: what is in force, who made it so, and which proxies serve it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from deploy.config.change import path_of, told
from deploy.config.plane import Plane, where
from deploy.lines import columns, width


@click.command(name="get")
@click.argument("name", metavar="[KIND[/[NAMESPACE/]NAME]]", required=False)
@click.option(
    "-o", "--output", type=click.Choice(["yaml", "json"]), help="Whole documents, with their resourceVersion."
)
@where
def get(name: str | None, output: str | None, url: str | None, state: Path | None) -> None:
    """Show the documents in force: all, those of a kind, or one.

    \b
    Examples:
      whymesh get
      whymesh get HTTPRoute/orders -o yaml
    """
    plane = Plane("get", url, state)
    if name and "/" in name:
        _print([plane.ask(path_of(name))], output or "yaml")
        return
    found = plane.ask("/v1/config" + (f"?kind={quote(name)}" if name else ""))
    if output:
        _print([one["document"] for one in found["documents"]], output)
        return
    rows = [("KIND", "NAMESPACE", "NAME", "VERSION", "FROM")]
    for one in found["documents"]:
        metadata = one["document"]["metadata"]
        origin = "api, over the file" if one["overFile"] else one["origin"]
        namespace = metadata.get("namespace", "default")
        rows.append((one["document"]["kind"], namespace, metadata["name"], metadata["resourceVersion"], origin))
    click.echo(columns(rows, width()))
    for gone in found["deleted"]:
        click.echo(f"{gone} is in a file, and was deleted over the API")


@click.command(name="history")
@click.argument("epoch", type=click.IntRange(min=1), required=False)
@click.option("--limit", default=20, show_default=True, help="So many of the last ones.")
@where
def history(epoch: int | None, limit: int, url: str | None, state: Path | None) -> None:
    """Show every epoch: when, who, what; or what one did to each document.

    \b
    Examples:
      whymesh history
      whymesh history 41
    """
    plane = Plane("history", url, state)
    if epoch is not None:
        one = plane.ask(f"/v1/history/{epoch}")
        click.echo(f"epoch {one['epoch']} at {one['at'][:19]} UTC by {one['actor']}")
        told({**one, "proxies": []})
        return
    rows = [("EPOCH", "WHEN (UTC)", "WHO", "WHAT")]
    for one in plane.ask(f"/v1/history?limit={limit}")["epochs"]:
        changes = one["changes"]
        what = (changes[0] if changes else "") + (f" (and {len(changes) - 1} more)" if len(changes) > 1 else "")
        rows.append((str(one["epoch"]), one["at"][:19], one["actor"], what))
    click.echo(columns(rows, width()))


@click.command(name="status")
@click.option("--json", "as_json", is_flag=True, help="The whole answer.")
@where
def status(as_json: bool, url: str | None, state: Path | None) -> None:
    """Show the epoch in force, and of each proxy whether it serves what it should, since when not, and why.

    With an authority also until when its certificate holds, and which roots the mesh believes.

    \b
    Example:
      whymesh status
    \b
    Exit codes: 0 all do, 1 some do not, have a problem, or the files have a mistake, 3 the control plane cannot be
    reached.
    """
    found = Plane("status", url, state).ask("/v1/status")
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        _told(found)
    raise SystemExit(0 if _is_well(found) else 1)


def _is_well(found: dict[str, Any]) -> bool:
    late = any(one["late"] for proxy in found["proxies"] for one in proxy["certificates"])
    behind = any(proxy["state"] != "current" or proxy["problems"] for proxy in found["proxies"])
    return not (late or behind or found["config_errors"] or found["key_sets"])


def _told(found: dict[str, Any]) -> None:
    click.echo(f"mesh {found['mesh']}, epoch {found['epoch']}")
    for mistake in found["config_errors"]:
        click.echo(f"not taken: {mistake}")
    for url, problem in found["key_sets"].items():
        click.echo(f"key set {url}: {problem}")
    if authority := found["authority"]:
        click.echo(_roots(authority))
    rows = [("PROXY", "STATE", "SERVES", "SHOULD", *(["CERTIFICATE"] if authority else []), "SINCE (UTC)", "WHY")]
    for proxy in found["proxies"]:
        held = [_held(proxy["certificates"])] if authority else []
        since, serves = (proxy["since"] or "")[:19], str(proxy["epoch"] or "-")
        why = "" if proxy["why"] == f"serves epoch {serves}" else proxy["why"]
        rows.append((proxy["name"], proxy["state"], serves, str(proxy["due"]), *held, since, why))
    click.echo(columns(rows, width()))
    for proxy in found["proxies"]:
        for problem in proxy["problems"]:
            click.echo(f"{proxy['name']}: {problem}")


def _roots(authority: dict[str, Any]) -> str:
    """What is believed, and what a change of it waits for."""
    roots = ", ".join(f"{one['sha256'][:16]} ({one['state']}, until {one['ends'][:10]})" for one in authority["roots"])
    rotation = authority["rotation"]
    waits = ", ".join(rotation["waits_for"]) or "nobody"
    step = "" if rotation["step"] == "none" else f"; {rotation['step']}, waits for {waits}"
    return f"trust domain {authority['trust_domain']}, roots {roots}{step}"


def _held(certificates: list[dict[str, Any]]) -> str:
    """Until when a proxy can show who it is: the certificate that ends first."""
    if not certificates:
        return "none"
    first = min(certificates, key=lambda one: str(one["ends"]))
    return f"until {first['ends'][:16]}" + (" LATE" if any(one["late"] for one in certificates) else "")


def _print(documents: list[Any], output: str) -> None:
    if output == "json":
        click.echo(json.dumps(documents[0] if len(documents) == 1 else documents, indent=2))
        return
    import yaml

    click.echo(yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True), nl=False)
