"""`whymesh token`: who may change the configuration from another machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click

from deploy.config.plane import Plane, where


@click.command(name="token")
@click.argument("name", required=False)
@click.option("--revoke", is_flag=True, help="End it.")
@where
def command(name: str | None, revoke: bool, url: str | None, state: Path | None) -> None:
    """Make a token by which another machine may change the configuration; without a name list them.

    It is shown this once. Other machines give it in WHYMESH_TOKEN, or as `Authorization: Bearer`.

    \b
    Examples:
      whymesh token deploy
      whymesh token deploy --revoke
    """
    plane = Plane("token", url, state)
    if name is None:
        for one in plane.ask("/v1/tokens")["tokens"]:
            click.echo(f"{one['name']} of {one['made'][:19]} UTC")
    elif revoke:
        plane.ask(f"/v1/tokens/{quote(name, safe='')}", "DELETE")
        click.echo(f"{name} is worth nothing from now on")
    else:
        click.echo(plane.ask("/v1/tokens", "POST", {"name": name})["token"])
