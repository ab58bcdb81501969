"""`whymesh policy`: says what becomes of a request, and writes the policies that recorded traffic needs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from deploy.config.plane import Plane
from deploy.policies.plan import UNREACHABLE, end, opened
from deploy.policies.text import told
from deploy.span import Span
from deploy.sql import DEFAULT_STORE

DENIED, REFUSED = 1, 2


@click.group(name="policy")
def command() -> None:
    """Ask who may ask what, and find out what has to be allowed.

    \b
    Example:
      whymesh policy check --from orders --to payments --method POST --path /pay
    """


@command.command(name="check")
@click.option("-f", "--file", "path", type=click.Path(path_type=Path, exists=True), help="mesh.yaml, or a folder.")
@click.option("--control", help="The control plane to ask [default: that of the running demo or `up`].")
@click.option("--state", type=click.Path(path_type=Path), help="State directory of the run to ask.")
@click.option("--from", "caller", help="A Service or Gateway by name, or a SPIFFE id [default: nobody known].")
@click.option("--to", required=True, help="The Service or Gateway that is asked.")
@click.option("--method", default="GET", show_default=True)
@click.option("--path", "target", default="/", show_default=True, help="With its query.")
@click.option("--tunnel", is_flag=True, help="A connection that is not HTTP, in the place of a request.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Of the target [default: its first].")
@click.option("--header", "headers", multiple=True, help="name: value")
@click.option("--claim", "claims", multiple=True, help="name=value of its token; a value may be JSON.")
@click.option("--json", "as_json", is_flag=True, help="The decision as it is.")
def check_command(
    path: Path | None,
    control: str | None,
    state: Path | None,
    caller: str | None,
    to: str,
    method: str,
    target: str,
    tunnel: bool,
    port: int | None,
    headers: tuple[str, ...],
    claims: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say whether a request would be allowed, by which rule, or what the nearest rule misses.

    By the policies of a file, or those in force; decided by the code that the proxies run.

    \b
    Examples:
      whymesh policy check --from orders --to payments --method POST --path /pay
      whymesh policy check -f mesh.yaml --to edge --path /admin --claim roles='["admin"]'
    \b
    Exit codes: 0 allowed, 1 denied, 2 a mistake in the question or the file, 3 the control plane is away.
    """
    question = {
        "caller": caller,
        "to": to,
        "method": None if tunnel else method.upper(),
        "path": target,
        "port": port,
        "headers": [_header(text) for text in headers],
        "claims": dict(map(_claim, claims)) if claims else None,
    }
    decided = _by_file(path, question) if path else _by_control(control, state, question)
    click.echo(json.dumps(decided, indent=2) if as_json else told(question, decided))
    raise SystemExit(0 if decided["allowed"] else DENIED)


@command.command(name="suggest")
@click.option("--since", type=Span(), default="1d", show_default=True, help="Requests of so long ago, and newer ones.")
@click.option(
    "--store", envvar="WHYMESH_STORE", help=f"The store [default: of the running demo or `up`, else {DEFAULT_STORE}]."
)
@click.option("--state", type=click.Path(path_type=Path), help="State directory of the run to ask.")
@click.option("--enforce", is_flag=True, help="In force at once, rather than in audit first.")
def suggest_command(since: timedelta, store: str | None, state: Path | None, enforce: bool) -> None:
    """Write the AuthorizationPolicies that recorded traffic needs, and no more, as YAML.

    One policy a service, a rule for each caller of it: methods, and paths with identifiers as {id}.

    \b
    Example:
      whymesh policy suggest --since 7d > policies.yaml
    \b
    Exit codes: 0 done, 3 the store cannot be reached or has nothing of that time.
    """
    import yaml

    from deploy.policies.recorded_flows import served
    from deploy.policies.suggest import suggest

    with opened("policy suggest", store, state) as reader:
        flows = served(reader, datetime.now(UTC) - since)
    if not flows:
        raise end("policy suggest", UNREACHABLE, f"no requests of the last {since} are stored")
    documents = suggest(flows, "Enforce" if enforce else "Audit")
    click.echo(f"# What {sum(flow.count for flow in flows)} requests of the last {since} needed.")
    click.echo(yaml.safe_dump_all(documents, sort_keys=False), nl=False)


def _by_file(path: Path, question: dict[str, Any]) -> dict[str, Any]:
    from proxy.control.errors import ConfigRefused
    from proxy.control.policies.check import Question, check
    from proxy.control.reading.read import load
    from proxy.control.registry import register

    try:
        return check(register(load(path)), Question.model_validate(question))
    except (ConfigRefused, ValueError) as error:
        raise end("policy check", REFUSED, str(error)) from None


def _by_control(control: str | None, state: Path | None, question: dict[str, Any]) -> dict[str, Any]:
    decided: dict[str, Any] = Plane("policy check", control, state).ask("/v1/policies/check", "POST", question)
    return decided


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise click.BadParameter(f"{text}: expected name: value", param_hint="--header")
    return name.strip().lower(), value.strip()


def _claim(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text}: expected name=value", param_hint="--claim")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
