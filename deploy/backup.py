"""`whymesh backup` and `whymesh restore`: the state of a control plane as one file, and back.

In: a state folder, a file. Out: the other one; exit code 2 with what is in the way.
"""

from __future__ import annotations

from pathlib import Path

import click

from deploy.local.state import default_state

_STATE = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="The --state of `whymesh control` [default: that of the last demo or `up`].",
)


@click.command(name="backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_STATE
def backup(file: Path, state: Path | None) -> None:
    """Write configuration, history, tokens and the authority of a mesh to FILE, while the control plane runs.

    The keys of the authority are in it as they are in the folder: sealed with --ca-secret, otherwise in the clear.

    \b
    Example:
      whymesh backup mesh-backup.tgz --state state/
    """
    from proxy.control.errors import ControlError
    from proxy.control.state.backup import back_up

    try:
        epoch = back_up(state or _last_state(), file)
    except (ControlError, OSError) as error:
        raise _end("backup", error) from None
    click.echo(f"{file}: the control plane's state as of epoch {epoch}")


@click.command(name="restore")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_STATE
@click.option("--back", is_flag=True, help="Although proxies were told of newer epochs since.")
@click.option(
    "--after",
    type=click.IntRange(min=0),
    default=0,
    help="The highest epoch that proxies serve (whymesh_proxy_epoch), where the folder is lost.",
)
def restore(file: Path, state: Path | None, back: bool, after: int) -> None:
    """Put the backup in FILE in the place of a control plane's state, which is kept beside it. Stop that first.

    \b
    Examples:
      whymesh restore mesh-backup.tgz --state state/
      whymesh restore mesh-backup.tgz --state state/ --back
    """
    from proxy.control.errors import ControlError
    from proxy.control.state.backup import restore as restored

    try:
        done = restored(file, state or _last_state(), back=back, after=after)
    except (ControlError, OSError) as error:
        raise _end("restore", error) from None
    if done.went_back_from is not None:
        click.echo(f"back from epoch {done.went_back_from}: what was, is epoch {done.epoch} now")
    else:
        click.echo(f"the state is as of epoch {done.epoch}")
    if done.replaced is not None:
        click.echo(f"what was there before is in {done.replaced}")


def _last_state() -> Path:
    """That of the mesh on this machine which was started last."""
    found = sorted(default_state().glob("*/control/control.sqlite"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise click.UsageError("no mesh was started here; name its state folder with --state")
    return found[-1].parent


def _end(command: str, error: Exception) -> SystemExit:
    click.echo(f"whymesh {command}: {error}", err=True)
    return SystemExit(2)
