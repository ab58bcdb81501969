"""`whymesh why`: asks the root-cause engine what is wrong. In: its address. Out: the finding, for people or as JSON."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click

from deploy.state import default_state, find_running

DEFAULT_URL = "http://127.0.0.1:7470"
EXIT_CODES = {"nothing_wrong": 0, "degraded": 1, "not_enough_data": 3}
UNREACHABLE = 3


@click.command(name="why")
@click.option("--url", help=f"The root-cause engine [default: that of the running demo or `up`, else {DEFAULT_URL}].")
@click.option("--json", "as_json", is_flag=True, help="The engine's answer as it is.")
@click.option("--state", type=click.Path(path_type=Path), help="State directory of the run to ask.")
def command(url: str | None, as_json: bool, state: Path | None) -> None:
    """Say what is wrong now, and why.

    \b
    Examples:
      whymesh why
      whymesh why --json | jq .finding.culprit
    \b
    Exit codes: 0 nothing is wrong, 1 something is degraded, 3 not known (engine unreachable, or too little data yet).
    """
    running = find_running(state or default_state())
    base = url or (running.rootcause if running else DEFAULT_URL)
    if not base.startswith(("http://", "https://")):
        raise click.BadParameter(f"{base}: expected http://host:port", param_hint="--url")
    try:
        with urllib.request.urlopen(f"{base.rstrip('/')}/v1/why", timeout=15) as response:  # noqa: S310 (checked above)
            answer: dict[str, Any] = json.load(response)
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        click.echo(f"whymesh why: no answer from the root-cause engine at {base}: {reason}", err=True)
        raise SystemExit(UNREACHABLE) from None
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        _explain(answer)
    raise SystemExit(EXIT_CODES.get(answer.get("state", ""), UNREACHABLE))


def _explain(answer: dict[str, Any]) -> None:
    """Prints the answer for a person: what, who, why, since when, who else was looked at, the proof."""
    from rich.console import Console
    from rich.markup import escape

    out = Console(highlight=False)
    finding = answer.get("finding")
    if not finding:
        out.print(escape(answer.get("summary", "")))
        return
    out.print(f"[bold]{escape(finding['title'])}[/bold]")
    out.print(escape(answer.get("summary", "")))
    parts = [f"{key} {value}" for key, value in finding["culprit"].items() if value]
    out.print(
        f"\nculprit     [bold red]{escape(', '.join(parts))}[/bold red]  (confidence {finding['confidence']:.0%})"
    )
    out.print(f"since       {escape(str(finding['opened_at']))}  {escape(finding['state'])}")
    if change := finding.get("change"):
        summary = change.get("summary") if isinstance(change, dict) else str(change)
        out.print(f"preceded by {escape(str(summary))}")
    _list(out, "ranking", [f"{r['service']}: {r['why']}" for r in finding["ranking"]])
    _list(out, "ruled out", [f"{r['service']}: {r['why']}" for r in finding["ruled_out"]])
    _list(out, "evidence", [e["statement"] for e in finding["evidence"]])
    _list(out, "traces", finding["exemplars"])


def _list(out: Any, title: str, lines: list[str], most: int = 5) -> None:
    if lines:
        out.print(f"\n[bold]{title}[/bold]")
    for line in lines[:most]:
        out.print(f"  {line}", markup=False)
