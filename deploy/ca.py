"""`whymesh ca`: looks at the authority of a mesh over its API, and gives it orders in its state folder.

In: options. Out: text or JSON; a changed ledger, which a running control plane sees within a second. Who may write to
the folder may give orders; there is no way to do so over the network.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from deploy.asking import Unanswered, ask_json
from deploy.local.reach import DEFAULT_URL, reach
from deploy.local.state import default_state

if TYPE_CHECKING:
    from proxy.control.authority.audit import Event
    from proxy.control.authority.authority import Authority
    from proxy.control.authority.ledger import Ledger

F = TypeVar("F", bound=Callable[..., Any])
Write = Callable[["Event"], None]
_CONTROL = click.option(
    "--control", help=f"The control plane to ask [default: that of the running demo or `up`, else {DEFAULT_URL}]."
)
_RUN = click.option("--state", type=click.Path(path_type=Path), help="State directory of the run to ask.")
_FOLDER = click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="The --state of `whymesh control` [default: that of the last demo or `up`].",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="The whole answer as JSON.")


@click.group(name="ca")
def command() -> None:
    """Look at the certificate authority of the mesh, and give it orders.

    \b
    Examples:
      whymesh ca status
      whymesh ca forecast
      whymesh ca token --proxy payments-1 > payments-1.token
      whymesh ca rotate root
      whymesh ca deny payments-1 --reason "stolen"
      whymesh ca denied
    \b
    Exit codes: 0 done and well, 1 something has ended or is late, 2 not done, 3 the control plane cannot be reached.
    """


def _ordering(order: F) -> F:
    """Adds the options of a command that writes to the ledger."""
    secret = click.option(
        "--ca-secret", type=click.File(), help="File with the secret that seals the keys; or WHYMESH_CA_SECRET."
    )
    return _FOLDER(secret(order))


@command.command()
@_CONTROL
@_RUN
@_JSON
def status(control: str | None, state: Path | None, as_json: bool) -> None:
    """Show roots, issuer, certificates, and what a rotation waits for."""
    said = _asked(control, state)
    if as_json:
        click.echo(json.dumps(said, indent=2))
    else:
        for line in _lines(said):
            click.echo(line)
    raise SystemExit(1 if _bad(said) else 0)


@command.command()
@_CONTROL
@_RUN
@_JSON
def forecast(control: str | None, state: Path | None, as_json: bool) -> None:
    """Say what stops when, if the control plane were out of reach from now on."""
    said = _asked(control, state)
    if as_json:
        click.echo(json.dumps(said["forecast"], indent=2))
    else:
        now = datetime.fromisoformat(said["now"])
        for line in said["forecast"]:
            click.echo(f"{_when(line['at'], now)}  {line['what']}")
    raise SystemExit(1 if _bad(said) else 0)


@command.command()
@click.argument("what", type=click.Choice(["root", "issuer"]))
@_ordering
def rotate(what: str, state: Path | None, ca_secret: TextIO | None) -> None:
    """Replace the root (step by step, as proxies follow) or the issuer (at once)."""
    from proxy.control.authority.audit import Event

    with _opened(state, ca_secret) as (authority, write):
        now = datetime.now(UTC)
        done = authority.rotation.begin(now) if what == "root" else authority.rotation.replace_issuer(now)
        write(Event("rotate", _who(), done))
        click.echo(done)


@command.command()
@click.option("--proxy", "proxies", multiple=True, help="Who may join with it; several times for several.")
@click.option("--any", "anybody", is_flag=True, help="Every proxy may.")
@click.option("--node", is_flag=True, help="A key that is good until it is revoked, not once.")
@click.option(
    "--hours", type=click.FloatRange(min=0, min_open=True), help="How long it is good [default: 1; of a key: for ever]."
)
@_ordering
def token(
    proxies: tuple[str, ...],
    anybody: bool,
    node: bool,
    hours: float | None,
    state: Path | None,
    ca_secret: TextIO | None,
) -> None:
    """Make a token, or the key of a node, with which a proxy joins (`whymesh proxy --join FILE`). Shown this once."""
    from proxy.control.authority.audit import Event
    from proxy.control.authority.passes import Passes

    if bool(proxies) == anybody:
        raise click.UsageError("say who may join with it: --proxy NAME, or --any")
    with _opened(state, ca_secret) as (authority, write):
        life = timedelta(hours=hours) if hours else None if node else timedelta(hours=1)
        named = None if anybody else proxies
        made = Passes(authority.ledger).make("node" if node else "token", named, datetime.now(UTC), life)
        kind, number, _ = made.split(".")
        whom = ", ".join(proxies) or "every proxy"
        write(Event("token", _who(), f"{kind.removeprefix('whymesh-')} {number} was made for {whom}"))
        click.echo(made)


@command.command()
@click.argument("number")
@_ordering
def revoke(number: str, state: Path | None, ca_secret: TextIO | None) -> None:
    """Let nobody join any more with a token or node key; NUMBER is its middle part."""
    from proxy.control.authority.audit import Event
    from proxy.control.authority.passes import Passes

    with _opened(state, ca_secret) as (authority, write):
        Passes(authority.ledger).revoke(number)
        write(Event("token", _who(), f"the token or node key {number} is revoked"))
        click.echo(f"{number} is good for nothing any more")


@command.command()
@click.argument("named", metavar="SERIAL|PROXY|SPIFFE-ID")
@click.option("--reason", required=True, help="For the audit log.")
@_FOLDER
def deny(named: str, reason: str, state: Path | None) -> None:
    """Have nobody trust a certificate, or those of a proxy, or those on a SPIFFE id; what is open by them ends.

    The control plane signs the list of them, so it needs no secret. What it joined with is still good: `ca revoke`.
    """
    from proxy.control.authority.audit import Event
    from proxy.control.authority.denials import Denials

    with _ledger(state, None, keys=False) as (ledger, write):
        for serial in Denials(ledger).deny(named, reason, datetime.now(UTC)):
            write(Event("deny", _who(), f"the certificate {serial} is denied: {reason}", serial=serial))
            click.echo(f"denied {serial}")


@command.command()
@click.argument("named", metavar="SERIAL|PROXY|SPIFFE-ID")
@_FOLDER
def undeny(named: str, state: Path | None) -> None:
    """Take it back: have what is denied trusted again, for as long as it still holds."""
    from proxy.control.authority.audit import Event
    from proxy.control.authority.denials import Denials

    with _ledger(state, None, keys=False) as (ledger, write):
        for serial in Denials(ledger).undo(named):
            write(Event("undeny", _who(), f"the certificate {serial} is denied no more", serial=serial))
            click.echo(f"denied no more {serial}")


@command.command()
@_CONTROL
@_RUN
@_JSON
def denied(control: str | None, state: Path | None, as_json: bool) -> None:
    """List the certificates that are denied: whose, since when, why, and until when they would have held."""
    said = _asked(control, state)["denied"]
    if as_json:
        click.echo(json.dumps(said, indent=2))
        return
    for one in said:
        since, ends = (datetime.fromisoformat(one[name]) for name in ("since", "ends"))
        click.echo(f"{one['serial']}  {one['proxy']}  {one['identity']}")
        click.echo(f"  since {since:%F %T} UTC, holds until {ends:%F %T} UTC: {one['reason']}")
    if not said:
        click.echo("no certificate is denied")


@command.command(name="import")
@click.option("--root", type=click.Path(path_type=Path), required=True, help="Certificate of the root (PEM).")
@click.option("--root-key", type=click.Path(path_type=Path), help="Its key; without it give an issuer.")
@click.option("--issuer", type=click.Path(path_type=Path), help="Certificate of an issuer that the root has signed.")
@click.option("--issuer-key", type=click.Path(path_type=Path), help="Its key.")
@click.option("--passphrase", type=click.File(), help="File with the passphrase of the key.")
@_ordering
def bring(
    root: Path,
    root_key: Path | None,
    issuer: Path | None,
    issuer_key: Path | None,
    passphrase: TextIO | None,
    state: Path | None,
    ca_secret: TextIO | None,
) -> None:
    """Bring a root along, or an issuer below one whose key stays elsewhere. Proxies follow as in a rotation."""
    from proxy.control.authority.audit import Event
    from proxy.control.authority.imports import issuer_below, root_with_key

    words = passphrase.read().strip().encode() if passphrase else None
    with _opened(state, ca_secret) as (authority, write):
        now = datetime.now(UTC)
        if root_key and not (issuer or issuer_key):
            brought = root_with_key(root, root_key, words, now)
        elif issuer and issuer_key and not root_key:
            brought = issuer_below(root, issuer, issuer_key, words, now)
        else:
            raise click.UsageError("expected --root with --root-key, or --root with --issuer and --issuer-key")
        done = authority.rotation.begin(now, brought.root, brought.issuer)
        write(Event("import", _who(), f"{root}: {done}"))
        click.echo(done)


@contextmanager
def _opened(state: Path | None, secret: TextIO | None) -> Iterator[tuple[Authority, Write]]:
    """The authority of a state folder, and its audit log."""
    from proxy.control.authority.authority import Authority

    with _ledger(state, secret) as (ledger, write):
        yield Authority(ledger, ledger.domain, ledger.terms(), datetime.now(UTC)), write


@contextmanager
def _ledger(state: Path | None, secret: TextIO | None, *, keys: bool = True) -> Iterator[tuple[Ledger, Write]]:
    """The ledger of a state folder, and its audit log; what is not possible ends the command with code 2."""
    from proxy.control.authority.audit import Audit
    from proxy.control.authority.errors import AuthorityError
    from proxy.control.authority.ledger import Ledger
    from proxy.control.authority.safe import FOLDER, secret_of

    folder = (state or _last_state()) / FOLDER
    try:
        ledger = Ledger(folder, None, secret_of(secret), make=False, keys=keys)
        try:
            audit = Audit(folder, lambda change, actor: None)
            yield ledger, lambda event: audit.write(event, datetime.now(UTC))
        finally:
            ledger.close()
    except (AuthorityError, OSError) as error:
        click.echo(f"whymesh ca: {error}", err=True)
        raise SystemExit(2) from None


def _last_state() -> Path:
    """That of the mesh on this machine which was started last."""
    found = sorted(default_state().glob("*/control/authority"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise click.UsageError("no mesh with an authority was started here; name its state folder with --state")
    return found[-1].parent


def _asked(control: str | None, state: Path | None) -> Any:
    asked = reach(control, state, "--control")
    try:
        return ask_json(f"{asked.url}/v1/authority", f"the control plane at {asked.url}", root=asked.root)
    except Unanswered as error:
        click.echo(f"whymesh ca: {error}", err=True)
        raise SystemExit(2 if error.status else 3) from None


def _lines(said: Any) -> Iterator[str]:
    now = datetime.fromisoformat(said["now"])
    yield f"trust domain {said['trust_domain']}"
    for kind, one in [*(("root", root) for root in said["roots"]), ("issuer", said["issuer"])]:
        yield f"{kind:7} {one['state']:7} until {_when(one['ends'], now)}  key {one['key']}  {one['sha256'][:16]}"
    rotation = said["rotation"]
    if rotation["step"] != "none":
        yield f"rotation: {rotation['step']}, waits for {', '.join(rotation['waits_for']) or 'nobody'}"
    for one in said["certificates"]:
        mark = "LATE: " if one["late"] else ""
        yield f"{one['proxy']:20} {mark}until {_when(one['ends'], now)}  {one['identity']}  {one['serial']}"
    for one in said["passes"]:
        whom = ", ".join(one["proxies"]) if one["proxies"] else "every proxy"
        yield f"{one['kind']:7} {one['id']} for {whom}: {one['state']}"
    for one in said["denied"]:
        yield f"denied  {one['serial']} of {one['proxy']}: {one['reason']}"


def _bad(said: Any) -> bool:
    return any(one["late"] for one in said["certificates"])


def _when(at: str, now: datetime) -> str:
    moment = datetime.fromisoformat(at)
    left = moment - now
    hours = abs(left.total_seconds()) / 3600
    span = f"{hours / 24:.0f} days" if hours > 72 else f"{hours:.1f} h"
    return f"{moment:%F %T} UTC ({span} ago)" if left < timedelta(0) else f"{moment:%F %T} UTC (in {span})"


def _who() -> str:
    return f"{getpass.getuser()} with whymesh ca"
